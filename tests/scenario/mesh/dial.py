"""One TCP connection, as some user, out of some namespace, in a child process that ends with it."""
import collections
import errno
import json
import os
import select
import signal
import socket
import time

# ok: connected; error: the errno's name when not, or when nothing could be read; reply: what was read.
Dialled = collections.namedtuple("Dialled", "ok error reply local")

_REPLY_BYTES = 65536


def _errno_name(error):
    if isinstance(error, TimeoutError) and error.errno is None:
        return "ETIMEDOUT"
    return errno.errorcode.get(error.errno, str(error))


def _dial(host, port, source, send, timeout, reads):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        if source:
            connection.bind((source, 0))
        connection.connect((host, port))
        local = connection.getsockname()[0]
        reply = b""
        try:
            if send:
                connection.sendall(send)
            while reads and b"\n" not in reply and len(reply) < _REPLY_BYTES:
                piece = connection.recv(4096)
                if not piece:
                    break
                reply += piece
        except OSError as error:
            return [True, _errno_name(error), reply.decode("latin-1"), local]
        return [True, None, reply.decode("latin-1"), local]


def _child(namespace, write_end, uid, gid, arguments):
    result = [False, "unknown", "", None]
    try:
        with namespace.entered():
            os.setgroups([])
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
            # The kernel's rules look at the user that makes the socket: only from here on.
            # Leaving the namespace is no longer allowed, and not needed: the process ends in here.
            try:
                result = _dial(*arguments)
            except OSError as error:
                result = [False, _errno_name(error), "", None]
            os.write(write_end, json.dumps(result).encode())
            os._exit(0)
    except OSError as error:
        os.write(write_end, json.dumps([False, _errno_name(error), "", None]).encode())
    finally:
        os._exit(0)


def dial(namespace, host, port, uid=1500, gid=None, source=None, send=None, timeout=5.0, reads=True):
    """Connects and reads until a newline or the end. Never raises for what the network does.

    gid is the uid when not given. `send` is bytes to say first. reads=False: only connect.
    """
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        _child(namespace, write_end, uid, uid if gid is None else gid,
               (host, port, source, send, timeout, reads))
    os.close(write_end)
    answer = b""
    deadline = time.monotonic() + 2 * timeout + 5
    while select.select([read_end], [], [], max(0.0, deadline - time.monotonic()))[0]:
        piece = os.read(read_end, _REPLY_BYTES)
        if not piece:
            break
        answer += piece
    else:
        os.kill(child, signal.SIGKILL)
    os.close(read_end)
    os.waitpid(child, 0)
    return Dialled(*json.loads(answer)) if answer else Dialled(False, "ETIMEDOUT", "", None)
