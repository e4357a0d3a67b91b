"""What leaves the mesh: declared hosts by name, anything else by address, and nothing of it when egress is denied."""
import types

import pytest

from mesh import apps, clients, manifests, wait
from mesh.redirected import listen
from mesh.network import APP_UID

# An address that nobody has: who dials it and gets an answer was led elsewhere by the host name.
NOWHERE = "203.0.113.7"
WEB, PAGE, LOST = "web.example", "page.example", "lost.example"


def external(host, port, protocol, **spec):
    return manifests.policy("ExternalService", host.split(".", maxsplit=1)[0],
                            {"hosts": [host], "ports": [{"port": port, "protocol": protocol}], **spec})


@pytest.fixture(scope="module")
def pods(shared_mesh):
    mesh = shared_mesh
    outside = mesh.network.pod("outside")
    apps.version_service(outside, 8080, "outside")
    listen(outside, "remote", APP_UID, 7000)
    page = apps.tls_page(outside, PAGE, 8443)
    names = apps.dns(outside)
    names.names.write({WEB: [outside.ip4], PAGE: [outside.ip4]})
    mesh.folder.write("external", external(WEB, 8080, "HTTP"), external(PAGE, 8443, "TLS"),
                      external(LOST, 8080, "HTTP"))
    client = mesh.member("client", proxy_words=("--dns", f"{outside.ip4}:{names.port}"))
    mesh.wait_ready()
    wait.until(lambda: '"kind":"external"' in client.admin(f"/explain?url=http://{WEB}:8080/")[1], "the hosts are known")
    return types.SimpleNamespace(mesh=mesh, outside=outside, page=page, names=names.names, client=client)


@pytest.fixture
def denied(pods):
    pods.mesh.folder.write("mesh", manifests.mesh_config(egress="Deny"))
    wait.until(lambda: get(pods, pods.outside.ip4, at=pods.outside.ip4).status == 403, "egress is denied")
    yield
    pods.mesh.folder.remove("mesh")
    wait.until(lambda: get(pods, pods.outside.ip4, at=pods.outside.ip4).status == 200, "egress is allowed again")


def get(pods, host, at=NOWHERE, path="/"):
    """HTTP to the host, which the application believes to be at that address; or to an address."""
    believed = () if host == at else ("--resolve", f"{host}:8080:{at}")
    return pods.client.curl(f"http://{host}:8080{path}", *believed)


def page(pods, host, at=NOWHERE):
    return pods.client.curl(f"https://{host}:8443/", "--resolve", f"{host}:8443:{at}", "--cacert", pods.page.roots,
                            "--connect-timeout", "3")


def test_a_declared_host_is_found_by_its_name(pods):
    response = get(pods, WEB, path="/by-name")
    assert (response.status, response.version, response.json()["path"]) == (200, "outside", "/by-name")
    names = {name.lower() for name, _ in response.json()["headers"]}
    assert not [name for name in names if name.startswith("x-remora")], "nothing private goes out"
    pods.client.wait_metric(1, "remora_requests_total", direction="outbound", destination_service="web", destination_namespace="default")


def test_a_declared_host_moves_with_its_name(pods):
    assert get(pods, WEB).status == 200
    moved = pods.mesh.network.pod("moved")
    apps.version_service(moved, 8080, "moved")
    pods.names.write({WEB: [moved.ip4], PAGE: [pods.outside.ip4]})
    wait.until(lambda: get(pods, WEB).version == "moved", "the new address")
    pods.names.write({WEB: [pods.outside.ip4], PAGE: [pods.outside.ip4]})
    wait.until(lambda: get(pods, WEB).version == "outside", "the old address again")


def test_a_name_without_an_address_is_told(pods):
    response = get(pods, LOST)
    assert (response.status, response.header("x-remora-reason")) == (503, "dns_failed")


def test_tls_to_a_declared_host_passes_by_its_name_unopened(pods):
    response = page(pods, PAGE)
    assert response.status == 200 and b"s_server" in response.body
    pods.client.wait_metric(1, "remora_tcp_connections_opened_total", destination_service="page")


def test_an_address_outside_is_reached_by_default(pods):
    assert get(pods, pods.outside.ip4, at=pods.outside.ip4).version == "outside"
    assert get(pods, "undeclared.example", at=pods.outside.ip4).version == "outside"
    assert '"listener": "remote"' in pods.client.pod.dial(pods.outside.ip4, 7000).reply
    assert pods.client.curl(f"http://[{pods.outside.ip6}]:8080/").version == "outside"


def test_denied_egress_answers_http_with_403(pods, denied):
    for host, at in [(pods.outside.ip4, pods.outside.ip4), ("undeclared.example", pods.outside.ip4)]:
        response = get(pods, host, at=at)
        assert (response.status, response.header("x-remora-reason")) == (403, "egress_denied")
    before = int(get(pods, WEB, path="/count").text)
    status, _ = clients.nghttp(pods.client.pod, f"http://{pods.outside.ip4}:8080/")
    assert status == 403
    assert int(get(pods, WEB, path="/count").text) == before + 1, "none of them went out"


def test_denied_egress_closes_tls_and_tcp(pods, denied):
    before = pods.client.metrics().total("remora_connections_refused_total", reason="egress_denied")
    with pytest.raises(clients.CurlFailed) as failure:
        page(pods, "undeclared.example", at=pods.outside.ip4)
    assert failure.value.code in (35, 56), "closed, not left to wait"
    assert pods.client.pod.dial(pods.outside.ip4, 7000, send=b"hello\n").reply == ""
    # A server that would speak first is not even dialled.
    assert pods.client.pod.dial(pods.outside.ip4, 7000, timeout=20).reply == ""
    pods.client.wait_metric(before + 3, "remora_connections_refused_total", reason="egress_denied")


def test_denied_egress_lets_declared_hosts_pass(pods, denied):
    assert get(pods, WEB).version == "outside"
    assert page(pods, PAGE).status == 200
