"""Listens on ports and says to each who connects, in one line of JSON, how the connection looks from here.

    destination_listener.py NAME PORT...

Wildcard of both families where IPv6 is on. "original" is where the client wanted to go before a redirect, or
null when the kernel knows of none.
"""
import json
import selectors
import socket
import struct
import sys

SO_ORIGINAL_DST = 80


def original(connection, is4):
    try:
        if is4:
            raw = connection.getsockopt(socket.SOL_IP, SO_ORIGINAL_DST, 16)
            port, address = struct.unpack_from("!2xH4s", raw)
            return [socket.inet_ntop(socket.AF_INET, address), port]
        raw = connection.getsockopt(socket.IPPROTO_IPV6, SO_ORIGINAL_DST, 28)
        port, address = struct.unpack_from("!2xH4x16s", raw)
        return [socket.inet_ntop(socket.AF_INET6, address), port]
    except OSError:
        return None


def plain(address):
    host = address[0]
    return [host[7:] if host.startswith("::ffff:") else host, address[1]]


def describe(name, connection):
    peer = plain(connection.getpeername())
    return {"listener": name, "peer": peer, "local": plain(connection.getsockname()),
            "original": original(connection, ":" not in peer[0])}


def listen(port):
    try:
        listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=256)
    except OSError:
        listener = socket.create_server(("0.0.0.0", port), backlog=256)
    listener.setblocking(False)
    return listener


def main():
    name = sys.argv[1]
    selector = selectors.DefaultSelector()
    for port in map(int, sys.argv[2:]):
        selector.register(listen(port), selectors.EVENT_READ)
    print("listening", flush=True)
    while True:
        for key, _ in selector.select():
            try:
                connection, _ = key.fileobj.accept()
            except BlockingIOError:
                continue
            with connection:
                try:
                    line = json.dumps(describe(name, connection))
                    print(line, flush=True)
                    connection.sendall(line.encode() + b"\n")
                except OSError as error:
                    print(f"lost: {error}", flush=True)


main()
