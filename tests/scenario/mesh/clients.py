"""Programs that call others, run in a pod to their end."""
import collections
import json
import os
import re
import tempfile

from . import flags
from .network import APP_UID

PYTHON = ["/usr/bin/python3", "-B"]


class Response:
    """What curl got. `headers` is a list of (name, value) as they came; header(name) is the first or None."""

    def __init__(self, facts, head, body):
        self.status = facts["http_code"]
        self.http = facts["http_version"]
        self.seconds = facts["time_total"]
        self.body = body
        lines = [line for block in head.split("\r\n\r\n")[-2:-1] for line in block.split("\r\n")[1:]]
        self.headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines if ":" in line]

    def header(self, name):
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @property
    def text(self):
        return self.body.decode()

    @property
    def version(self):
        return self.header("x-version")

    def json(self):
        return json.loads(self.body)


class CurlFailed(AssertionError):
    """No response at all; `code` is curl's exit status (7 refused, 28 timeout, 52 empty, 56 reset)."""

    def __init__(self, code, words):
        super().__init__(f"curl ended with {code}: {words}")
        self.code = code


def curl(pod, url, *words, headers=(), uid=APP_UID, timeout=10):
    """One request. More flags of curl in `words`; headers are (name, value)."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        head, body = os.path.join(folder, "head"), os.path.join(folder, "body")
        named = [word for name, value in headers for word in ("-H", f"{name}: {value}" if value else f"{name};")]
        done = pod.run(["curl", "-sS", "--globoff", "--noproxy", "*", "-m", timeout, "-D", head, "-o", body, "-w",
                        "%{json}", *named, *words, url], uid=uid, check=False, timeout=timeout + 10)
        if done.returncode != 0:
            raise CurlFailed(done.returncode, done.stderr.strip())
        with open(head, encoding="latin-1", newline="") as file:
            head = file.read()
        content = b""
        if os.path.exists(body):
            with open(body, "rb") as file:
                content = file.read()
        return Response(json.loads(done.stdout), head, content)


Load = collections.namedtuple("Load", "requests succeeded failed errored rate statuses output")


def h2load(pod, url, requests=1000, clients=8, streams=1, http1=False, words=(), uid=APP_UID, timeout=120):
    """A load of requests and what came of them; statuses is {"2xx": n, ...}."""
    done = pod.run(["h2load", "-n", requests, "-c", clients, "-m", streams, *(["--h1"] if http1 else []), *words, url],
                   uid=uid, check=False, timeout=timeout)
    counted = re.search(r"requests: (\d+) total, \d+ started, \d+ done, (\d+) succeeded, (\d+) failed, (\d+) errored",
                        done.stdout)
    if counted is None:
        raise AssertionError(f"h2load ended with {done.returncode}\n{done.stdout}{done.stderr}")
    statuses = {f"{digit}xx": int(count) for count, digit in re.findall(r"(\d+) (\d)xx", done.stdout)}
    rate = float(re.search(r"finished in .*?, ([\d.]+) req/s", done.stdout).group(1))
    return Load(*map(int, counted.groups()), rate, statuses, done.stdout)


def nghttp(pod, url, *words, headers=(), uid=APP_UID, timeout=10):
    """One HTTP/2 request by nghttp; returns (status, body)."""
    named = [f"-H{name}: {value}" for name, value in headers]
    done = pod.run(["nghttp", "-v", f"-t{timeout}", *named, *words, url], uid=uid, check=False, timeout=timeout + 10)
    status = re.findall(r":status: (\d+)", re.sub(r"\x1b\[[0-9;]*m", "", done.stdout))
    if not status:
        raise AssertionError(f"nghttp ended with {done.returncode}\n{done.stdout}{done.stderr}")
    body = pod.run(["nghttp", f"-t{timeout}", *named, *words, url], uid=uid, timeout=timeout + 10).stdout
    return int(status[-1]), body


GrpcReply = collections.namedtuple("GrpcReply", "code details replies initial trailing")


def grpc_call(pod, target, *messages, method="Unary", metadata=(), deadline=10, uid=APP_UID):
    """One call to apps/grpc_echo.py. code is the number of the gRPC status; metadata are dictionaries."""
    done = pod.run([*PYTHON, os.path.join(flags.APPS, "grpc_call.py"), target, method, deadline,
                    json.dumps([list(pair) for pair in metadata]), *messages], uid=uid, timeout=deadline + 20)
    answer = json.loads(done.stdout)
    return GrpcReply(answer["code"], answer["details"], answer["replies"], dict(answer["initial"]),
                     dict(answer["trailing"]))


def websocket_call(pod, url, *messages, deadline=10, uid=APP_UID):
    """Sends each message and returns the replies."""
    done = pod.run([*PYTHON, os.path.join(flags.APPS, "websocket_call.py"), url, deadline, *messages], uid=uid,
                   timeout=deadline + 20)
    return json.loads(done.stdout)["replies"]


def redis_cli(pod, host, *words, port=6379, uid=APP_UID):
    return pod.run(["redis-cli", "-h", host, "-p", port, *words], uid=uid).stdout.strip()


def mysql(pod, host, statement, port=3306, uid=APP_UID):
    return pod.run(["mariadb", "--no-defaults", "--skip-ssl", "-N", "-B", "--connect-timeout=10", "-h", host, "-P", port,
                    "-u", "root", "-e", statement], uid=uid).stdout.strip()


def openssl_peer(pod, host, port, *words, uid=APP_UID, timeout=10):
    """What `openssl s_client` prints of a TLS handshake with host:port."""
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return pod.run(["openssl", "s_client", "-connect", where, *words], uid=uid, check=False, timeout=timeout,
                   input="").stdout
