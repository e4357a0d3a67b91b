"""The control plane is killed, and traffic does not notice; it comes back, and is followed again."""
import os
import shutil
import signal
import tempfile

import pytest

from mesh import apps, flags, manifests, metrics, network as networks, wait
from mesh.load import Load


class Shop:
    """One caller and a service in two versions, of which the route takes v1 only."""

    def __init__(self, mesh, keys=None):
        self.mesh = mesh
        self.api = mesh.service("api")
        self.v1 = mesh.service("api-v1", selector={"app": "api", "version": "v1"})
        self.v2 = mesh.service("api-v2", selector={"app": "api", "version": "v2"})
        self.send_to("api-v1")

        def words(name):
            return ("--key-dir", os.path.join(keys, name)) if keys else ()

        self.client = mesh.member("client", proxy_words=words("client"))
        self.members = [mesh.member(name, app="api", version=version, program=apps.version_service,
                                    proxy_words=words(name)) for name, version in (("api-1", "v1"), ("api-2", "v2"))]
        mesh.wait_ready()

    def send_to(self, backend):
        self.mesh.folder.write("route", manifests.http_route(
            "api", ("api", 80), [{"backendRefs": [manifests.backend(backend, 80)]}]))

    def answers(self, version):
        return self.client.curl(self.api.url()).version == version

    def wait_for(self, version, timeout=wait.PATIENCE):
        wait.until(lambda: self.answers(version), f"answers of {version}", timeout)


@pytest.fixture
def memory_folder():
    """On a memory-backed file system, as keys must be; each proxy makes its own folder in it."""
    path = tempfile.mkdtemp(prefix=f"remora-test-{os.getpid()}-", dir="/dev/shm")
    os.chown(path, networks.PROXY_UID, networks.PROXY_UID)
    yield path
    shutil.rmtree(path)


def connected(member):
    return member.metrics().total("remora_xds_connected") == 1


def wait_connected(member, wanted=True, timeout=wait.PATIENCE):
    wait.until(lambda: connected(member) == wanted, f"{member.name}: connected is {wanted}", timeout)


def test_killed_under_load_fails_no_request_and_is_followed_again(mesh):
    shop = Shop(mesh)
    shop.wait_for("v1")
    with Load(shop.client.pod, shop.api.ip4, 80) as load:
        mesh.kill_control()
        wait_connected(shop.client, False)
        # An edit that nobody reads yet.
        shop.send_to("api-v2")
        load.wait_more(200)
        assert load.versions["v2"] == 0
        mesh.start()
        wait.until(lambda: load.versions["v2"] > 20, "the edit in force", timeout=30)
        for member in [shop.client, *shop.members]:
            wait_connected(member, timeout=30)
        shop.send_to("api-v1")
        shop.wait_for("v1")
    load.assert_clean(at_least=200)
    for member in mesh.members.values():
        assert member.is_ready()


def test_proxy_without_control_serves_from_last_known_good(mesh, memory_folder):
    shop = Shop(mesh, memory_folder)
    shop.wait_for("v1")
    mesh.kill_control()
    shop.client.restart_proxy()
    shop.client.wait_ready()
    assert "certificate kept from before" in shop.client.proxy.log()
    with Load(shop.client.pod, shop.api.ip4, 80) as load:
        load.wait_more(100)
    load.assert_clean()
    assert set(load.versions) == {"v1"}
    assert shop.client.metrics().total("remora_requests_total", direction="outbound", mtls="true") >= 100
    # And the other side of the connection.
    shop.members[0].restart_proxy()
    shop.members[0].wait_ready()
    shop.wait_for("v1")
    shop.send_to("api-v2")
    mesh.start()
    shop.wait_for("v2", timeout=30)


def test_without_a_key_mutual_tls_stays_closed_and_says_so(mesh):
    shop = Shop(mesh)
    shop.wait_for("v1")
    mesh.kill_control()
    shop.client.restart_proxy()
    wait.until(lambda: "no certificate yet" in shop.client.why_not_ready(), "the reason on /ready")
    response = shop.client.curl(shop.api.url())
    assert (response.status, response.header("x-remora-reason")) == (503, "tls_no_certificate")
    assert not shop.client.is_ready()


def damage(path, kind):
    with open(path, "rb") as file:
        whole = file.read()
    assert len(whole) > 1000
    bad = {"empty": b"", "truncated": whole[:len(whole) // 2], "junk": os.urandom(len(whole)),
           "flipped": bytes(byte ^ 0x55 if at % 97 == 0 else byte for at, byte in enumerate(whole))}[kind]
    with open(path, "wb") as file:
        file.write(bad)


@pytest.mark.parametrize("kind", ["empty", "truncated", "junk", "flipped"])
def test_damaged_last_known_good_is_told_and_lived_with(mesh, memory_folder, kind):
    shop = Shop(mesh, memory_folder)
    shop.wait_for("v1")
    mesh.kill_control()
    shop.client.proxy.signal(signal.SIGINT)
    shop.client.proxy.wait()
    damage(os.path.join(shop.client.state_dir, "last-known-good"), kind)
    shop.client.restart_proxy()
    shop.client.proxy.wait_log("last known good .*(left out|is damaged)")
    # Alive, and it follows the control plane as soon as there is one.
    wait.until(lambda: metrics.get(shop.client.pod, flags.HEALTH_PORT, "/healthz/live")[0] == 200, "a live proxy")
    mesh.start()
    shop.client.wait_ready(timeout=30)
    shop.wait_for("v1", timeout=30)
