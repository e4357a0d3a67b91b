"""How remora-proxy ends: SIGTERM lets work finish, SIGINT does not wait; and how it refuses to begin."""
import signal
import threading
import time

import pytest

from mesh import apps, clients, flags, wait
from mesh.network import PROXY_UID


class Place:
    def __init__(self, mesh, *words):
        self.api = mesh.service("api")
        self.back = mesh.service("back")
        self.client = mesh.member("client")
        self.server = mesh.member("api-1", app="api", version="v1", program=apps.version_service, proxy_words=words)
        self.behind = mesh.member("back-1", app="back", version="b1", program=apps.version_service)
        mesh.wait_ready()
        wait.until(lambda: self.client.curl(self.api.url()).status == 200, "a first answer")
        wait.until(lambda: self.server.curl(self.back.url()).status == 200, "an answer from behind")

    def slow(self, path, *words):
        return Slow(lambda: self.client.curl(self.api.url(path), *words))


class Slow:
    """A call on its way, in a thread of its own."""

    def __init__(self, call):
        self._call = call
        self._outcome = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        try:
            self._outcome = self._call()
        except AssertionError as error:
            self._outcome = error

    def outcome(self):
        self._thread.join()
        return self._outcome


def in_flight(member, count):
    def look():
        seen = member.metrics().total("remora_requests_in_flight")
        assert seen >= count, f"{seen} are"
        return True
    wait.until(look, f"{count} requests in flight", timeout=2.5)


def test_sigterm_lets_requests_finish_and_the_application_call_out(mesh):
    place = Place(mesh, "--drain-time", "20s")
    # One that waits for its head, one whose body is coming, one on a connection of HTTP/2.
    slow = [place.slow("/delay/3000"), place.slow("/stream/30/100"),
            place.slow("/delay/3000", "--http2-prior-knowledge")]
    in_flight(place.server, 3)
    began = time.monotonic()
    place.server.proxy.signal(signal.SIGTERM)
    wait.until(lambda: "draining" in place.server.why_not_ready(), "not ready, because it drains")
    # Its application is still working on them and needs others.
    assert place.server.curl(place.back.url()).version == "b1"
    for call in slow:
        response = call.outcome()
        assert getattr(response, "status", response) == 200
    assert slow[1].outcome().text.count("piece") == 30
    assert place.server.proxy.wait() == 0
    assert time.monotonic() - began < 15
    assert "drained" in place.server.proxy.log()


def test_what_does_not_end_is_cut_when_the_time_is_over(mesh):
    place = Place(mesh, "--drain-time", "2s")
    slow = place.slow("/delay/9000")
    in_flight(place.server, 1)
    began = time.monotonic()
    place.server.proxy.signal(signal.SIGTERM)
    assert place.server.proxy.wait() == 0
    assert 1.5 < time.monotonic() - began < 5
    assert slow.outcome().status == 503
    assert "the time to drain is over" in place.server.proxy.log()


def test_idle_proxy_ends_soon(mesh):
    place = Place(mesh)
    began = time.monotonic()
    place.server.proxy.signal(signal.SIGTERM)
    assert place.server.proxy.wait() == 0
    assert time.monotonic() - began < 5


def test_sigint_does_not_wait(mesh):
    place = Place(mesh)
    slow = place.slow("/delay/5000")
    in_flight(place.server, 1)
    began = time.monotonic()
    place.server.proxy.signal(signal.SIGINT)
    assert place.server.proxy.wait() == 0
    assert time.monotonic() - began < 1.5
    assert slow.outcome().status == 503


@pytest.mark.parametrize("flag, word", [("--help", "SIGTERM"), ("--version", "remora-proxy")])
def test_what_it_says_of_itself(network, flag, word):
    done = network.pod("p").run([flags.binary("remora-proxy"), flag])
    assert word in done.stdout and done.stderr == ""


@pytest.mark.parametrize("words, complaint", [
    (["--no-such"], "unknown option --no-such"),
    (["--workers"], "--workers needs a value"),
    (["--workers", "many"], '--workers does not take "many"'),
    (["--max-connections", "0"], '--max-connections does not take "0"'),
    (["--admin", "0.0.0.0:15000"], "--admin must be a loopback address"),
    (["--control", "127.0.0.1:15012"], "--control needs --control-ca"),
    (["--config", "/does/not/exist"], "/does/not/exist: No such file"),
    (["--outbound", "127.0.0.1:1=a:80"], "need --mode explicit"),
    (["word"], 'unexpected argument "word"'),
])
def test_bad_flags_are_named_and_end_with_2(network, words, complaint):
    done = network.pod("p").run([flags.binary("remora-proxy"), *words], check=False)
    assert done.returncode == 2 and complaint in done.stderr, done.stderr


def test_port_that_is_taken_ends_with_1(network):
    pod = network.pod("p")
    first = pod.start([flags.binary("remora-proxy")], "first", uid=PROXY_UID)
    first.wait_log("running")
    done = pod.run([flags.binary("remora-proxy")], check=False, uid=PROXY_UID)
    assert done.returncode == 1 and "15001" in done.stderr and "in use" in done.stderr, done.stderr
