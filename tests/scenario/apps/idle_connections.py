"""Opens connections, speaks once on each, and keeps them: idle_connections.py HOST PORT COUNT http|redis

Says "held N of COUNT", where the rest was refused, reset or never answered. At SIGUSR1 it speaks on each again and
says "answered N".
"""
import collections
import selectors
import signal
import socket
import sys
import time

HOST, PORT, COUNT, KIND = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
BATCH, PATIENCE_S = 200, 10
WORDS = {"http": b"GET / HTTP/1.1\r\nhost: idle\r\n\r\n", "redis": b"PING\r\n"}[KIND]


def is_whole(answer):
    if KIND == "redis":
        return answer == b"+PONG\r\n"
    head, found, body = answer.partition(b"\r\n\r\n")
    return bool(found) and head.startswith(b"HTTP/1.1 200 ") and body.endswith(b"\n")


def talk(connections):
    """Those that answered, within a time that all of them share."""
    answers = collections.defaultdict(bytes)
    good = []
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            try:
                connection.sendall(WORDS)
                selector.register(connection, selectors.EVENT_READ)
            except OSError:
                connection.close()
        deadline = time.monotonic() + PATIENCE_S
        while selector.get_map() and time.monotonic() < deadline:
            for key, _ in selector.select(1):
                connection = key.fileobj
                try:
                    piece = connection.recv(4096)
                except OSError:
                    piece = b""
                answers[connection] += piece
                if not piece or is_whole(answers[connection]):
                    selector.unregister(connection)
                    good += [connection] if piece else []
                    if not piece:
                        connection.close()
        for key in list(selector.get_map().values()):
            key.fileobj.close()
    return good


def dial():
    try:
        return socket.create_connection((HOST, PORT), timeout=PATIENCE_S)
    except OSError:
        return None


def main():
    held = []
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM})
    for at in range(0, COUNT, BATCH):
        made = [dial() for _ in range(min(BATCH, COUNT - at))]
        made = [connection for connection in made if connection is not None]
        held += talk(made)
    print(f"held {len(held)} of {COUNT}", flush=True)
    while signal.sigwait({signal.SIGUSR1, signal.SIGTERM}) == signal.SIGUSR1:
        print(f"answered {sum(len(talk(held[at:at + BATCH])) for at in range(0, len(held), BATCH))}", flush=True)


main()
