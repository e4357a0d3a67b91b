"""Answers A and AAAA questions over UDP, for a time to live of 1 s: dns_server.py PORT FILE

FILE has lines "NAME ADDRESS"; it is read again for each question. Other names do not exist.
"""
import ipaddress
import socket
import struct
import sys

TYPES = {1: 4, 28: 6}


def question(query):
    labels, at = [], 12
    while length := query[at]:
        labels.append(query[at + 1:at + 1 + length].decode("ascii"))
        at += length + 1
    return ".".join(labels).lower(), struct.unpack_from("!H", query, at + 1)[0], query[12:at + 5]


def answer(query, path):
    name, kind, asked = question(query)
    with open(path, encoding="ascii") as file:
        known = [line.split() for line in file if line.strip()]
    addresses = [ipaddress.ip_address(address) for its_name, address in known if its_name == name]
    fitting = [address for address in addresses if TYPES.get(kind) == address.version]
    records = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 1, len(address.packed)) + address.packed
                       for address in fitting)
    flags = 0x8180 if addresses else 0x8183
    return query[:2] + struct.pack("!HHHHH", flags, 1, len(fitting), 0, 0) + asked + records


def main():
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("0.0.0.0", int(sys.argv[1])))
    print("listening", flush=True)
    while True:
        query, client = server.recvfrom(4096)
        server.sendto(answer(query, sys.argv[2]), client)


main()
