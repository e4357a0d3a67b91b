"""Reads until the client's end, then answers how many bytes came, and ends: half_close.py PORT"""
import socket
import sys
import threading


def serve(connection):
    with connection:
        received = 0
        while piece := connection.recv(65536):
            received += len(piece)
        connection.sendall(b"%d\n" % received)


def main():
    listener = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True)
    print("listening", flush=True)
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


main()
