"""Answers any HTTP/1 request with its head, byte for byte as it came, in the body: raw_http.py PORT

The answer's own head has names in mixed case and a fixed order. Reads heads only: for requests without body.
"""
import socket
import sys
import threading

HEAD = (b"HTTP/1.1 200 OK\r\nZ-Last-Name: 1\r\nx-lower: 2\r\nX-UPPER: 3\r\nSet-Cookie: b=2\r\nSet-Cookie: a=1\r\n"
        b"Content-Length: %d\r\n\r\n")


def serve(connection):
    with connection:
        rest = b""
        while True:
            while b"\r\n\r\n" not in rest:
                piece = connection.recv(65536)
                if not piece:
                    return
                rest += piece
            head, rest = rest.split(b"\r\n\r\n", 1)
            connection.sendall(HEAD % len(head) + head)


def main():
    listener = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True)
    print("listening", flush=True)
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


main()
