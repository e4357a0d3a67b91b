"""What a redirected connection becomes: who it reaches, who the application sees, and what is refused."""
import concurrent.futures
import ipaddress
import types

import pytest

from mesh import apps, wait
from mesh.capture import Capture
from mesh.redirected import listen
from mesh.network import APP_UID

FAMILIES = pytest.mark.parametrize("family", [4, 6], ids=["IPv4", "IPv6"])
EXCLUDED = 3306


@pytest.fixture(scope="module")
def pods(shared_mesh):
    mesh = shared_mesh
    api = mesh.service("api")
    server = mesh.member("api-1", app="api", version="v1", program=apps.version_service,
                         redirect_words=("--exclude-inbound-ports", EXCLUDED))
    client = mesh.member("client", redirect_words=("--exclude-outbound-ports", EXCLUDED))
    peer = mesh.network.pod("peer")
    listen(server.pod, "excluded", APP_UID, EXCLUDED)
    mesh.wait_ready()
    return types.SimpleNamespace(mesh=mesh, api=api, server=server, client=client, peer=peer)


def requests(member, direction, **labels):
    return member.metrics().total("remora_requests_total", direction=direction, **labels)


@FAMILIES
def test_an_application_reaches_a_service(pods, family):
    response = pods.client.curl(pods.api.url("/hello", family))
    told = response.json()
    assert (response.status, response.version, told["path"]) == (200, "v1", "/hello")


@FAMILIES
def test_the_application_sees_its_own_proxy_as_the_peer(pods, family):
    told = pods.client.curl(pods.api.url("/", family)).json()
    seen = ipaddress.ip_address(told["client"])
    assert seen in (ipaddress.ip_address("127.0.0.6"), ipaddress.ip_address("::6")), told["client"]
    headers = {name.lower(): value for name, value in told["headers"]}
    # Who called is told by the inbound proxy, from the certificate it verified.
    assert pods.client.identity in headers["x-forwarded-client-cert"]


@FAMILIES
def test_a_call_to_a_pod_has_mutual_tls_and_no_route_of_a_service(pods, family):
    host = pods.server.pod.address(family)
    url = f"http://{f'[{host}]' if family == 6 else host}:8080/marker-of-a-direct-call"
    before = requests(pods.server, "inbound")
    with Capture(pods.mesh.network.node, "br0") as capture:
        response = pods.client.curl(url)
    assert (response.status, response.version) == (200, "v1")
    assert not capture.contains(b"marker-of-a-direct-call")
    assert capture.count() > 0
    wait.until(lambda: requests(pods.server, "inbound") == before + 1, "one inbound request")
    told = {name.lower(): value for name, value in response.json()["headers"]}
    assert pods.client.identity in told["x-forwarded-client-cert"]


@FAMILIES
@pytest.mark.parametrize("port", [15001, 15006])
def test_the_proxys_own_ports_are_no_way_in(pods, family, port):
    before = pods.server.metrics().total("remora_connections_refused_total", reason="loop")
    dialled = pods.peer.dial(pods.server.pod.address(family), port, send=b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    assert dialled.reply == "" and dialled.error in (None, "ECONNRESET", "EPIPE", "ECONNREFUSED"), dialled
    pods.server.wait_metric(before + 1, "remora_connections_refused_total", reason="loop")


def test_two_hundred_loops_at_once_leave_nothing_behind(pods):
    proxy = pods.server.proxy
    refused = pods.server.metrics().total("remora_connections_refused_total", reason="loop")
    before = proxy.descriptors()
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        dialled = list(pool.map(lambda _: pods.peer.dial(pods.server.pod.ip4, 15006, send=b"x\n"), range(200)))
    assert all(one.reply == "" and one.error != "ETIMEDOUT" for one in dialled)
    pods.server.wait_metric(refused + 200, "remora_connections_refused_total", reason="loop")
    wait.until(lambda: proxy.descriptors() <= before, "as many descriptors as before")
    assert pods.client.curl(pods.api.url()).status == 200


@FAMILIES
def test_a_call_to_the_own_service_passes_each_side_once(pods, family):
    before = requests(pods.server, "outbound"), requests(pods.server, "inbound")
    response = pods.server.curl(pods.api.url("/self", family))
    assert (response.status, response.json()["path"]) == (200, "/self")
    wait.until(lambda: (requests(pods.server, "outbound"), requests(pods.server, "inbound")) ==
               (before[0] + 1, before[1] + 1), "one request more on each side")


def test_an_excluded_inbound_port_goes_straight_to_the_application(pods):
    dialled = pods.peer.dial(pods.server.pod.ip4, EXCLUDED)
    assert '"listener": "excluded"' in dialled.reply
    assert f'"{pods.peer.ip4}"' in dialled.reply, "the application sees who really called"


def test_an_excluded_outbound_port_goes_out_untouched(pods):
    listen(pods.peer, "remote", APP_UID, EXCLUDED)
    dialled = pods.client.pod.dial(pods.peer.ip4, EXCLUDED)
    assert '"listener": "remote"' in dialled.reply
    assert f'"{pods.client.pod.ip4}"' in dialled.reply
    detected = pods.client.metrics().total("remora_detect_total")
    assert pods.client.pod.dial(pods.peer.ip4, EXCLUDED).ok
    assert pods.client.metrics().total("remora_detect_total") == detected


def test_nobody_at_the_service_is_told_as_503(pods):
    empty = pods.mesh.service("empty", selector={"app": "nobody"})
    pods.client.wait_known(empty)
    response = pods.client.curl(empty.url())
    assert (response.status, response.header("x-remora-reason")) == (503, "no_endpoint")


def test_a_closed_port_of_the_application_is_told(pods):
    closed = pods.mesh.service("closed", {"http": (80, 8081, "http")}, selector={"app": "api"})
    pods.client.wait_known(closed)
    response = pods.client.curl(closed.url())
    assert (response.status, response.header("x-remora-reason")) == (503, "connect_refused")
