"""A client that opens many mutual-TLS HTTP/2 connections, asks once on each, and keeps them: run as a program
of its own, so that the memory of the measuring program does not grow.

    holder.py PORT COUNT ADDRESS CERTIFICATE KEY ROOTS

Says "open" when all are open and were answered, and keeps them until its input ends.
"""
import socket
import ssl
import struct
import sys

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags, stream, payload=b""):
    return struct.pack("!I", len(payload))[1:] + bytes([kind, flags]) + struct.pack("!I", stream) + payload


# :method GET, :scheme http, :path / from the static table; :authority as a literal.
HEADERS = bytes([0x82, 0x86, 0x84, 0x01, 3]) + b"api"
REQUEST = PREFACE + frame(4, 0, 0) + frame(1, 5, 1, HEADERS)


def read_exactly(connection, count):
    got = b""
    while len(got) < count:
        more = connection.recv(count - len(got))
        if not more:
            raise OSError("the connection was closed")
        got += more
    return got


def ask(connection):
    """Sends one request and reads its answer to the end."""
    connection.sendall(REQUEST)
    while True:
        head = read_exactly(connection, 9)
        length, kind, flags, stream = int.from_bytes(head[:3], "big"), head[3], head[4], head[5:9]
        read_exactly(connection, length)
        if kind == 4 and not flags & 1:
            connection.sendall(frame(4, 1, 0))
        if kind in (3, 7):
            raise OSError("the server reset the stream or said GOAWAY")
        if int.from_bytes(stream, "big") == 1 and kind in (0, 1) and flags & 1:
            return


def main():
    port, count, address, certificate, key, roots = sys.argv[1:]
    config = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    config.check_hostname = False
    config.load_verify_locations(roots)
    config.load_cert_chain(certificate, key)
    config.set_alpn_protocols(["h2"])
    kept = []
    for _ in range(int(count)):
        plain = socket.create_connection((address, int(port)), timeout=10)
        connection = config.wrap_socket(plain, server_hostname=None)
        ask(connection)
        kept.append(connection)
    print("open", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
