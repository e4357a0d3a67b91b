"""Upstreams that refuse, reset, hang and talk nonsense: the caller gets an answer with a reason, in time."""
import os
import signal

import pytest

from mesh import apps, clients, flags, manifests, wait
from mesh.load import Load
from mesh.network import APP_UID


def faulty_service(pod, port=8080, version="v1"):
    process = pod.start(["/usr/bin/python3", "-B", os.path.join(flags.APPS, "faulty_service.py"), port, version],
                        "faulty", uid=APP_UID)
    process.wait_log("^listening$")
    return apps.App(pod, port, process, version)


class Place:
    """One caller, and a service of `count` endpoints whose requests may take so long."""

    def __init__(self, mesh, count=1, program=faulty_service, timeout="1s", **policy):
        self.mesh = mesh
        self.api = mesh.service("api")
        mesh.folder.write("policy", manifests.policy(
            "TrafficPolicy", "api", {"timeouts": {"request": timeout}, **policy}, [("Service", "api")]))
        self.client = mesh.member("client")
        self.endpoints = [mesh.member(f"api-{i}", app="api", version=f"v{i}", program=program) for i in range(count)]
        mesh.wait_ready()
        wait.until(lambda: self.get("/").status == 200, "a first answer")

    def get(self, path, *words):
        return self.client.curl(self.api.url(path), *words)


@pytest.fixture
def place(mesh):
    return Place(mesh)


# path, statuses, reasons that may be given
ANSWERED = [
    ("/reset", 503, {"upstream_reset", "upstream_closed"}),
    ("/close", 503, {"upstream_closed"}),
    ("/hang", 504, {"request_timeout"}),
    ("/garbage", 502, {"upstream_protocol"}),
    ("/half-head", 503, {"upstream_closed"}),
    ("/big-head", 502, {"upstream_headers_too_large"}),
    ("/two-lengths", 502, {"upstream_protocol"}),
]


def test_every_fault_is_answered_with_its_reason_in_time(place):
    for path, status, reasons in ANSWERED:
        response = place.get(path)
        assert (path, response.status) == (path, status)
        assert response.header("x-remora-reason") in reasons, path
        assert response.seconds < 2.5, path
        place.client.wait_metric(1, "remora_requests_total", direction="outbound", code=str(status))
        # Counted with its reason where it was seen: beside the application, or by the caller's timer.
        seen_by = place.client if path == "/hang" else place.endpoints[0]
        seen_by.wait_metric(1, "remora_requests_total", code=str(status), reason=response.header("x-remora-reason"))
    assert place.get("/").status == 200


@pytest.mark.parametrize("path", ["/cut", "/cut-chunked", "/cut-reset"])
def test_cut_body_never_looks_whole(place, path):
    with pytest.raises(clients.CurlFailed) as failure:
        place.get(path)
    # Partial file, nothing at all, a broken chunk or stream, or a reset: never 0.
    assert failure.value.code in (18, 52, 56, 92), failure.value
    assert place.get("/", "--http2-prior-knowledge").http == "2"
    with pytest.raises(clients.CurlFailed) as failure:
        place.get(path, "--http2-prior-knowledge")
    assert failure.value.code in (18, 56, 92), failure.value
    assert place.get("/").status == 200


def test_application_that_is_gone_is_refused_with_a_reason(place):
    place.endpoints[0].app.stop()
    response = place.get("/")
    assert (response.status, response.header("x-remora-reason")) == (503, "connect_refused")
    assert response.seconds < 2.5
    place.endpoints[0].app = faulty_service(place.endpoints[0].pod)
    wait.until(lambda: place.get("/").status == 200, "answers again")


def test_no_endpoint_is_said_so(mesh):
    """A request waits three seconds for one to come."""
    place = Place(mesh, timeout="8s")
    place.mesh.folder.remove("workload-default-api-0")
    wait.until(lambda: place.get("/").header("x-remora-reason") == "no_endpoint", "the reason")
    response = place.get("/")
    assert response.status == 503 and response.seconds < 5


def test_pod_that_vanishes_does_not_hang_callers(place):
    """No reset, no FIN: the network behind the address is gone."""
    place.endpoints[0].pod.ip("link", "set", "eth0", "down")
    for _ in range(3):
        response = place.get("/")
        assert response.status in (503, 504) and response.header("x-remora-reason"), response.status
        assert response.seconds < 2.5
    place.endpoints[0].pod.ip("link", "set", "eth0", "up")
    place.endpoints[0].pod.ip("route", "replace", "default", "via", place.mesh.network.node_ip4)
    wait.until(lambda: place.get("/").status == 200, "answers again", timeout=30)


def busiest(place, load):
    """The endpoint that most of the load goes to."""
    load.wait_more(200)
    version = load.versions.most_common(1)[0][0]
    return next(endpoint for endpoint in place.endpoints if endpoint.version == version)


def test_one_of_three_applications_dies_and_no_request_fails(mesh):
    """Its sidecar lives and refuses what it cannot deliver: never processed, so another endpoint takes it.

    In turn, and with a budget that allows it, so that the dead one is asked again and again.
    """
    place = Place(mesh, 3, apps.version_service, timeout="5s", loadBalancer={"algorithm": "RoundRobin"},
                  retries={"budget": {"percent": 100, "minPerSecond": 1000}})
    with Load(place.client.pod, place.api.ip4, 80) as load:
        victim = busiest(place, load)
        victim.app.process.kill()
        load.wait_more(1000, timeout=30)
    # What the application itself was working on died with it.
    in_flight = [failure for failure in load.failures if "503 upstream_" in failure.words]
    assert load.failures == in_flight and len(in_flight) <= 4, load.failures[:8]
    assert place.client.metrics().total("remora_attempts_total", kind="retry") > 100


def test_one_of_three_sidecars_is_killed_and_no_new_request_fails(mesh):
    """What was in flight on its connections may have been processed and is not sent twice; the rest goes elsewhere."""
    place = Place(mesh, 3, apps.version_service)
    with Load(place.client.pod, place.api.ip4, 80, clients=4) as load:
        busiest(place, load).proxy.signal(signal.SIGKILL)
        load.wait_more(1000, timeout=30)
    in_flight = [failure for failure in load.failures if "503 upstream_" in failure.words]
    assert load.failures == in_flight and len(in_flight) <= 4, load.failures[:8]


def test_idempotent_requests_may_be_sent_again_where_policy_says_so(mesh):
    """With reset-before-response not even those in flight fail."""
    place = Place(mesh, 3, apps.version_service, timeout="5s", retries={"on": ["reset-before-response"]})
    with Load(place.client.pod, place.api.ip4, 80) as load:
        busiest(place, load).proxy.signal(signal.SIGKILL)
        load.wait_more(500, timeout=30)
        busiest(place, load).app.process.kill()
        load.wait_more(500, timeout=30)
    load.assert_clean()
