"""An upstream that misbehaves as its path says, on the socket itself.

    faulty_service.py PORT VERSION

    /             200 with the version
    /reset        a reset instead of an answer
    /close        the connection ends instead of an answer
    /hang         no answer, ever
    /garbage      bytes that are not HTTP
    /half-head    half a response head, then the end
    /cut          content-length 100000, half of it, then the end
    /cut-chunked  two chunks, no last one, then the end
    /cut-reset    content-length 100000, half of it, then a reset
    /big-head     a header of 200 KiB
    /two-lengths  two content-length that differ
"""
import socket
import struct
import sys
import threading

PORT, VERSION = int(sys.argv[1]), sys.argv[2].encode()

OK = b"HTTP/1.1 200 OK\r\nx-version: " + VERSION + b"\r\n"
ANSWERS = {
    b"/": OK + b"content-length: 3\r\n\r\nok\n",
    b"/garbage": b"\x00\x01\x02 this is not HTTP at all\r\n\r\n\xff\xfe",
    b"/half-head": OK + b"content-le",
    b"/cut": OK + b"content-length: 100000\r\n\r\n" + b"x" * 50000,
    b"/cut-reset": OK + b"content-length: 100000\r\n\r\n" + b"x" * 50000,
    b"/cut-chunked": OK + b"transfer-encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n",
    b"/big-head": OK + b"x-big: " + b"b" * 200000 + b"\r\ncontent-length: 0\r\n\r\n",
    b"/two-lengths": OK + b"content-length: 3\r\ncontent-length: 4\r\n\r\nok\n\n",
}


def read_head(connection):
    head = b""
    while b"\r\n\r\n" not in head:
        piece = connection.recv(65536)
        if not piece:
            return None
        head += piece
    return head


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def serve(connection):
    with connection:
        while (head := read_head(connection)) is not None:
            path = head.split(b" ", 2)[1]
            if path == b"/hang":
                while connection.recv(65536):
                    pass
                return
            if path in ANSWERS:
                connection.sendall(ANSWERS[path])
            if path.endswith(b"reset"):
                reset(connection)
            if path != b"/":
                return


def serve_quietly(connection):
    try:
        serve(connection)
    except OSError as error:
        print(f"lost: {error}", flush=True)


def main():
    listener = socket.create_server(("::", PORT), family=socket.AF_INET6, dualstack_ipv6=True, backlog=256)
    print("listening", flush=True)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve_quietly, args=(connection,), daemon=True).start()


main()
