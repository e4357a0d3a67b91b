"""Real programs talk through two sidecars as they would without."""
import json
import os
import time
import types

import pytest

from mesh import apps, clients, flags
from mesh.network import APP_UID

BIG = 10 * 1024 * 1024


def bundle(pod):
    """Everything that speaks, in one pod."""
    apps.nginx(pod, 8080, "v1", lines="""
        location = /big { root %s; default_type application/octet-stream; }
        client_max_body_size 20m;
        location /upload { return 200 "taken\\n"; }""" % pod.network.folder)
    apps.nginx(pod, 8082, "h2", http2=True)
    apps.version_service(pod, 8081, "python")
    apps.grpc_echo(pod, 9000)
    apps.websocket_echo(pod, 8090)
    apps.websocket_echo(pod, 8091)
    apps.raw_http(pod, 8070)
    apps.half_close(pod, 7070)
    apps.redis(pod, 6379)
    return apps.mariadb(pod, 3306)


@pytest.fixture(scope="module")
def pods(shared_mesh):
    mesh = shared_mesh
    with open(os.path.join(mesh.network.folder, "big"), "wb") as file:
        file.write(os.urandom(1024) * (BIG // 1024))
    ports = {"nginx": (80, 8080), "python": (81, 8081), "http2": (82, 8082), "grpc": (90, 9000),
             "websocket": (83, 8090), "raw": (84, 8070), "half": (70, 7070), "redis": (6379, 6379),
             "mariadb": (3306, 3306)}
    # No appProtocol and names that say nothing: the first bytes tell.
    service = mesh.service("all", {**{f"p-{name}": pair for name, pair in ports.items()},
                                   "told": (85, 8091, "kubernetes.io/ws")})
    server = mesh.member("all-1", app="all", program=bundle, service_account="api",
                         ports={name: target for name, (_, target) in ports.items()})
    client = mesh.member("client")
    mesh.wait_ready()
    client.wait_known(service)
    return types.SimpleNamespace(mesh=mesh, service=service, server=server, client=client)


def url(pods, port, path="/"):
    return pods.service.url(path, port=port)


SPEAK = """
import socket, sys
host, port, end = sys.argv[1:]
connection = socket.create_connection((host, int(port)), 10)
connection.sendall(sys.stdin.buffer.read())
if end == "end":
    connection.shutdown(socket.SHUT_WR)
answer = b""
while piece := connection.recv(65536):
    answer += piece
sys.stdout.buffer.write(answer)
"""


def exchange(pods, port, sent, end=False):
    """Sends bytes as the application would, and reads to the end of the connection. end: ours comes first."""
    return pods.client.pod.run(["/usr/bin/python3", "-c", SPEAK, pods.service.ip4, port, "end" if end else "open"],
                               uid=APP_UID, input=sent, text=False).stdout


def test_http1_nginx_keeps_its_connection(pods):
    load = clients.h2load(pods.client.pod, url(pods, 80), requests=500, clients=4, http1=True)
    assert (load.succeeded, load.statuses["2xx"]) == (500, 500), load.output
    response = pods.client.curl(url(pods, 80))
    assert (response.status, response.http, response.text) == (200, "1.1", "nginx v1\n")


def test_http1_a_large_body_comes_down_whole(pods):
    with open(os.path.join(pods.mesh.network.folder, "big"), "rb") as file:
        wanted = file.read()
    response = pods.client.curl(url(pods, 80, "/big"), timeout=60)
    assert response.status == 200 and response.body == wanted


@pytest.mark.parametrize("headers", [(), [("transfer-encoding", "chunked")]], ids=["with length", "chunked"])
def test_http1_a_large_body_goes_up_whole(pods, headers):
    with open(os.path.join(pods.mesh.network.folder, "big"), "rb") as file:
        wanted = file.read()
    response = pods.client.curl(url(pods, 81, "/echo"), "--data-binary", f"@{file.name}", headers=headers, timeout=60)
    assert response.status == 200 and response.body == wanted


def test_http1_pieces_come_as_they_are_made(pods):
    response = pods.client.curl(url(pods, 81, "/stream/5/100"))
    assert response.text == "".join(f"piece {i}\n" for i in range(5))
    first_byte = pods.client.pod.run(["curl", "-sS", "-o", "/dev/null", "-w", "%{time_starttransfer}",
                                      url(pods, 81, "/stream/5/200")], uid=APP_UID).stdout
    assert float(first_byte) < 0.6, "the head did not wait for the body's end, which takes 1 s"


def test_http1_trailers_arrive(pods):
    answer = exchange(pods, 81, b"GET /trailers HTTP/1.1\r\nHost: all\r\nTE: trailers\r\nConnection: close, TE\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200"), answer
    assert b"body\n" in answer and b"x-end: yes" in answer.lower(), answer


def test_http1_expect_100_continue(pods):
    response = pods.client.curl(url(pods, 81, "/echo"), "--expect100-timeout", "8", "-d", "p" * 20000,
                                headers=[("expect", "100-continue")])
    assert (response.status, response.text) == (200, "p" * 20000)
    assert response.seconds < 5, "the 100 came from the application"


def test_http1_head_has_no_body(pods):
    response = pods.client.curl(url(pods, 81, "/bytes/1234"), "-I")
    assert (response.status, response.header("content-length")) == (200, "1234")
    response = pods.client.curl(url(pods, 80), "-I")
    assert (response.status, response.header("content-length")) == (200, str(len("nginx v1\n")))


def test_http10_is_answered_and_closed(pods):
    answer = exchange(pods, 80, b"GET / HTTP/1.0\r\n\r\n")
    assert answer.split(b"\r\n")[0] in (b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK")
    assert answer.endswith(b"nginx v1\n")
    chunked = exchange(pods, 81, b"GET /stream/2/1 HTTP/1.0\r\n\r\n")
    assert b"transfer-encoding" not in chunked.lower() and chunked.endswith(b"\r\n\r\npiece 0\npiece 1\n"), chunked


def test_http1_heads_keep_order_and_case(pods):
    fields = [b"Host: All", b"Connection: close", b"X-One: 1", b"x-TWO: 2", b"ACCEPT: */*", b"Zeta: z", b"alpha: a", b"x-TWO: again"]
    answer = exchange(pods, 84, b"GET /Path?q=%20A HTTP/1.1\r\n" + b"\r\n".join(fields) + b"\r\n\r\n")
    head, body = answer.split(b"\r\n\r\n", 1)
    seen = body.split(b"\r\n")
    assert seen[0] == b"GET /Path?q=%20A HTTP/1.1"
    assert [line for line in seen if line in fields] == [field for field in fields if field != b"Connection: close"], seen
    names = [line for line in head.split(b"\r\n") if line.lower().startswith((b"z-last", b"x-lower", b"x-upper", b"set-c"))]
    assert names == [b"Z-Last-Name: 1", b"x-lower: 2", b"X-UPPER: 3", b"Set-Cookie: b=2", b"Set-Cookie: a=1"]


def test_http2_with_prior_knowledge(pods):
    status, body = clients.nghttp(pods.client.pod, url(pods, 82))
    assert (status, body) == (200, "nginx h2\n")
    load = clients.h2load(pods.client.pod, url(pods, 82), requests=1000, clients=2, streams=20)
    assert (load.succeeded, load.statuses["2xx"]) == (1000, 1000), load.output


def grpc(pods, *messages, **options):
    return clients.grpc_call(pods.client.pod, f"{pods.service.ip4}:90", *messages, **options)


def test_grpc_unary(pods):
    reply = grpc(pods, "hello", metadata=[("x-echo", "back")])
    assert (reply.code, reply.replies, reply.trailing["x-echo"]) == (0, ["hello"], "back")
    assert reply.initial["x-version"] == "v1"


@pytest.mark.parametrize("method, sent, wanted", [
    ("ServerStream", ["a"], ["a"] * 100), ("ClientStream", ["a", "b", "c"], ["a|b|c"]),
    ("Bidi", ["a", "b", "c"], ["a", "b", "c"])])
def test_grpc_streams(pods, method, sent, wanted):
    reply = grpc(pods, *sent, method=method, metadata=[("x-repeat", "100"), ("x-echo", "end")])
    assert (reply.code, reply.replies, reply.trailing["x-echo"]) == (0, wanted, "end")


@pytest.mark.parametrize("code", [3, 5, 7, 8, 13, 16])
def test_grpc_errors_keep_their_code_and_words(pods, code):
    reply = grpc(pods, "x", metadata=[("x-fail", str(code))])
    assert (reply.code, reply.details) == (code, "as asked")


def test_grpc_deadline_of_the_client(pods):
    reply = grpc(pods, "x", metadata=[("x-delay-ms", "5000")], deadline=0.5)
    assert reply.code == 4


def test_websocket_echo(pods):
    where = f"ws://{pods.service.ip4}:83/"
    assert clients.websocket_call(pods.client.pod, where, "one", "t" * 100000, "three") == ["one", "t" * 100000, "three"]


@pytest.mark.parametrize("code, reason", [(1000, "done"), (1001, "leaving"), (4321, "own words")])
def test_websocket_close_codes(pods, code, reason):
    done = pods.client.pod.run([*clients.PYTHON, os.path.join(flags.APPS, "websocket_close.py"),
                                f"ws://{pods.service.ip4}:83/", code, reason], uid=APP_UID)
    assert done.stdout.strip() == f"{code} {reason}"


def test_a_websocket_over_http2_reaches_an_http1_server(pods):
    """RFC 8441: HTTP/2 has no key and no answer to it; the server, which is HTTP/1, sees the one and gives the other."""
    done = pods.client.pod.run([*clients.PYTHON, os.path.join(flags.APPS, "websocket_over_http2.py"),
                                pods.service.ip4, 85, "/", "one", "two"], uid=APP_UID, timeout=30)
    answer = json.loads(done.stdout)
    fields = dict(answer["fields"])
    assert (fields[":status"], fields["x-version"], answer["echoes"]) == ("200", "v1", ["one", "two"])
    assert "sec-websocket-accept" not in fields


UPGRADE = [("Connection", "upgrade"), ("Upgrade", "some-protocol")]


@pytest.mark.parametrize("status", [200, 204, 403, 426, 500])
def test_an_upgrade_that_is_not_taken_is_an_ordinary_request(pods, status):
    response = pods.client.curl(url(pods, 81, f"/status/{status}"), headers=UPGRADE)
    assert (response.status, response.text) == (status, "" if status == 204 else "as asked\n")


def test_an_upgrade_that_is_not_taken_leaves_body_and_connection_whole(pods):
    assert len(pods.client.curl(url(pods, 81, "/bytes/3000000"), headers=UPGRADE).body) == 3000000
    done = pods.client.pod.run(["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{num_connects}\n", "-H",
                                "Connection: upgrade", "-H", "Upgrade: some-protocol", url(pods, 81, "/[1-2]")], uid=APP_UID)
    assert done.stdout.split() == ["200", "1", "200", "0"]


def test_the_offer_of_http2_on_an_open_connection_is_declined(pods):
    response = pods.client.curl(url(pods, 80), "--http2")
    assert (response.status, response.http, response.text) == (200, "1.1", "nginx v1\n")


def test_redis(pods):
    assert clients.redis_cli(pods.client.pod, pods.service.ip4, "set", "key", "value") == "OK"
    assert clients.redis_cli(pods.client.pod, pods.service.ip4, "get", "key") == "value"


def test_redis_a_thousand_commands_in_one_pipeline(pods):
    commands = "".join(f"INCRBY sum {i}\n" for i in range(1000))
    done = pods.client.pod.run(["redis-cli", "-h", pods.service.ip4, "--pipe"], uid=APP_UID, input=commands)
    assert "errors: 0, replies: 1000" in done.stdout
    assert clients.redis_cli(pods.client.pod, pods.service.ip4, "get", "sum") == str(sum(range(1000)))


def test_mariadb_speaks_first_and_does_not_wait(pods):
    def timed():
        begun = time.monotonic()
        assert clients.mysql(pods.client.pod, pods.service.ip4, "select 6*7") == "42"
        return time.monotonic() - begun
    first, second = timed(), timed()
    assert first < 1.0, f"the first connection took {first:.2f} s"
    assert second < 0.3, f"the second connection took {second:.2f} s"
    learned = pods.client.metrics()
    assert learned.total("remora_detect_total", result="server_first") == 1


def test_tcp_one_side_ends_first(pods):
    assert exchange(pods, 70, b"x" * BIG, end=True) == b"%d\n" % BIG
