"""Who may talk to whom without mutual TLS, and what anybody on the wire sees."""
import types

import pytest

from mesh import apps, clients, manifests, wait
from mesh.capture import Capture

# extension key_share of a ServerHello: X25519MLKEM768 (0x11ec) and a share of 1120 bytes
HYBRID_SHARE = bytes.fromhex("0033046411ec0460")
SILENT_ENDS = ("ECONNRESET", "EPIPE", None)


def api_and_redis(pod, version):
    apps.redis(pod, 6379)
    return apps.version_service(pod, 8080, version)


@pytest.fixture(scope="module")
def pods(shared_mesh):
    mesh = shared_mesh
    api = mesh.service("api", {"http": (80, "http"), "redis": (6379, "redis")})
    bare = mesh.service("bare")
    server = mesh.member("api-1", app="api", version="v1", program=api_and_redis,
                         ports={"http": 8080, "redis": 6379})
    client = mesh.member("client")
    mesh.member("bare-1", app="bare", program=apps.version_service, sidecar=False)
    stranger = mesh.network.pod("stranger")
    mesh.wait_ready()
    client.wait_known(api)
    client.wait_known(bare)
    return types.SimpleNamespace(mesh=mesh, api=api, bare=bare, server=server, client=client, stranger=stranger)


@pytest.fixture
def transport(pods):
    """Writes a TransportPolicy; it is gone after the test, and the default is back in force."""
    files = []

    def write(mode=None, targets=(), namespace="default", **spec):
        files.append(f"transport-{len(files)}")
        spec = {**({"mode": mode} if mode else {}), **spec}
        pods.mesh.folder.write(files[-1], manifests.policy("TransportPolicy", files[-1], spec, targets, namespace))
    yield write
    for name in files:
        pods.mesh.folder.remove(name)
    if files:
        wait.until(lambda: not plain(pods).reply, "strict again")


def plain(pods, port=8080, path="/"):
    """A request in plain text from a pod that the mesh does not know, straight to the application's port."""
    return pods.stranger.dial(pods.server.pod.ip4, port, send=f"GET {path} HTTP/1.1\r\nhost: api\r\n\r\n".encode())


def refused(pods):
    return pods.server.metrics().total("remora_connections_refused_total", reason="plaintext_refused")


def test_nothing_of_http_is_readable_between_pods(pods):
    marker = "seen-on-the-wire"
    with Capture(pods.mesh.network.node, "br0") as capture:
        response = pods.client.curl(pods.api.url(f"/echo?{marker}"), "-d", f"body-{marker}", headers=[("x-secret", marker)])
    assert (response.status, response.text) == (200, f"body-{marker}")
    assert capture.count() > 10
    for needle in (marker, "x-secret", "x-version", "HTTP/1.1", "/echo"):
        assert not capture.contains(needle.encode()), needle


def test_nothing_of_redis_is_readable_between_pods(pods):
    with Capture(pods.mesh.network.node, "br0") as capture:
        assert clients.redis_cli(pods.client.pod, pods.api.ip4, "set", "hidden-key", "hidden-value") == "OK"
        assert clients.redis_cli(pods.client.pod, pods.api.ip4, "get", "hidden-key") == "hidden-value"
    assert capture.count() > 10
    assert not capture.contains(b"hidden-")


def test_the_key_exchange_is_a_hybrid_one(pods):
    with Capture(pods.mesh.network.node, "br0") as capture:
        # A path of its own to the pod: a connection that nobody has opened yet.
        late = pods.mesh.member("late", service_account="client")
        late.wait_ready()
        late.wait_known(pods.api)
        # From here on: not what the late proxy said to the control plane.
        before = sum(1 for packet in capture.packets() if HYBRID_SHARE in packet)
        assert late.curl(pods.api.url()).status == 200
        wait.until(lambda: sum(1 for packet in capture.packets() if HYBRID_SHARE in packet) == before + 1,
                   "a ServerHello that took X25519MLKEM768")


def test_plain_text_to_a_strict_port_is_refused_and_never_forwarded(pods):
    before, refused_before = int(pods.client.curl(pods.api.url("/count")).text), refused(pods)
    dialled = plain(pods)
    assert dialled.ok and dialled.reply == "" and dialled.error in SILENT_ENDS, dialled
    pods.server.wait_metric(refused_before + 1, "remora_connections_refused_total", reason="plaintext_refused")
    assert pods.stranger.dial(pods.server.pod.ip4, 6379, send=b"PING\r\n").reply == ""
    pods.server.wait_metric(refused_before + 2, "remora_connections_refused_total", reason="plaintext_refused")
    assert int(pods.client.curl(pods.api.url("/count")).text) == before + 1


def test_tls_of_a_stranger_is_refused(pods):
    told = clients.openssl_peer(pods.stranger, pods.server.pod.ip4, 8080, "-alpn", "h2")
    assert "HTTP/" not in told
    pods.server.wait_metric(1, "remora_connections_refused_total", reason="peer_unverified")


TARGETS = pytest.mark.parametrize("targets, namespace", [
    ((), "remora-system"), ([("Namespace", "default")], "default"), ([("Service", "api")], "default"),
    ([("Workload", "api-1")], "default")], ids=["mesh", "namespace", "service", "workload"])


@TARGETS
def test_permissive_takes_both_while_running(pods, transport, targets, namespace):
    transport("Permissive", targets, namespace)
    wait.until(lambda: "200 OK" in plain(pods).reply, "plain text is taken")
    with Capture(pods.mesh.network.node, "br0") as capture:
        assert pods.client.curl(pods.api.url("/still-hidden")).status == 200
    assert not capture.contains(b"still-hidden"), "sidecars go on with mutual TLS"


def test_permissive_counts_who_still_comes_in_plain_text(pods, transport):
    transport("Permissive", [("Workload", "api-1")])
    wait.until(lambda: "200 OK" in plain(pods).reply, "plain text is taken")
    found = pods.server.metrics().find("remora_plaintext_connections_total", port="8080")
    assert pods.stranger.ip4 in [labels["source"] for labels, _ in found], found


def test_permissive_for_one_port_leaves_the_others_strict(pods, transport):
    transport(targets=[("Workload", "api-1")], ports={"6379": {"mode": "Permissive"}})
    wait.until(lambda: "PONG" in pods.stranger.dial(pods.server.pod.ip4, 6379, send=b"PING\r\n").reply, "plain Redis")
    assert plain(pods).reply == ""


def test_the_nearest_policy_decides(pods, transport):
    transport("Permissive", (), "remora-system")
    wait.until(lambda: "200 OK" in plain(pods).reply, "plain text is taken")
    transport("Strict", [("Workload", "api-1")])
    wait.until(lambda: plain(pods).reply == "", "plain text is refused")


def test_plaintext_mode_is_plain_on_the_wire(pods, transport):
    transport("Plaintext", [("Workload", "api-1")])
    wait.until(lambda: "200 OK" in plain(pods).reply, "plain text is taken")

    def goes_plain():
        with Capture(pods.mesh.network.node, "br0") as capture:
            assert pods.client.curl(pods.api.url("/in-the-open")).status == 200
        return capture.contains(b"/in-the-open")
    wait.until(goes_plain, "callers go plain too")


def test_back_to_strict_closes_the_door(pods, transport):
    transport("Permissive", [("Service", "api")])
    wait.until(lambda: "200 OK" in plain(pods).reply, "plain text is taken")
    pods.mesh.folder.write("transport-0", manifests.policy("TransportPolicy", "transport-0", {"mode": "Strict"},
                                                           [("Service", "api")]))
    wait.until(lambda: plain(pods).reply == "", "plain text is refused")


def test_a_pod_without_a_sidecar_is_called_in_plain_text(pods):
    response = pods.client.curl(pods.bare.url("/bare"))
    assert (response.status, response.json()["path"]) == (200, "/bare")
    names = {name.lower() for name, _ in response.json()["headers"]}
    assert not names & {"x-remora-source", "x-remora-http"}, "private fields stay in the mesh"


def test_another_identity_than_the_expected_one_is_no_peer(pods):
    mesh = pods.mesh
    service = mesh.service("vault")
    member = mesh.member("vault-1", app="vault", service_account="web", program=apps.version_service)
    member.wait_ready()
    pods.client.wait_known(service)
    assert pods.client.curl(service.url()).status == 200
    member.service_account = "db"
    mesh.folder.write("workload-default-vault-1", member.manifest())
    response = wait.until(lambda: (answer := pods.client.curl(service.url())).status == 503 and answer, "a refusal")
    assert response.header("x-remora-reason") == "tls_identity"
    log = pods.client.proxy.log()
    assert "sa/db" in log and "sa/web" in log, "the log names both"
