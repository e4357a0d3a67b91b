"""Disks that are full, files that are cut, a state folder that is lost: it is said clearly, and traffic goes on."""
import contextlib
import errno
import json
import os
import re
import shutil

import pytest

from mesh import apps, flags, manifests, mesh as meshes, metrics, network as networks, wait
from mesh.load import Load

STATE = "control-state"
NO_ROOM = "No space left on device"


@contextlib.contextmanager
def full(folder):
    """The file system of the folder takes nothing more."""
    ballast = os.path.join(folder, "ballast")
    descriptor = os.open(ballast, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        with pytest.raises(OSError) as failure:
            while os.write(descriptor, bytes(4096)):
                pass
        assert failure.value.errno == errno.ENOSPC
        yield
    finally:
        os.close(descriptor)
        os.remove(ballast)


@pytest.fixture
def mesh(network):
    """Its control plane's state has a disk of its own, which is a small one."""
    network.make_disk(STATE, "256k", networks.APP_UID)
    made = meshes.Mesh(network)
    made.start()
    return made


class Shop:
    """A caller and a service in two versions; the route says which of them answers."""

    def __init__(self, mesh, **client):
        self.mesh = mesh
        self.api = mesh.service("api")
        for version in ("v1", "v2"):
            mesh.service(f"api-{version}", selector={"app": "api", "version": version})
            mesh.member(f"api-{version}", app="api", version=version, program=apps.version_service)
        self.client = mesh.member("client", **client)
        self.send_to("v1")
        mesh.wait_ready()
        self.client.wait_known(self.api)
        self.wait_for("v1")

    def send_to(self, version):
        self.mesh.folder.write("route", manifests.http_route(
            "api", ("api", 80), [{"backendRefs": [manifests.backend(f"api-{version}", 80)]}]))

    def wait_for(self, version, timeout=wait.PATIENCE):
        def look():
            answered = self.client.curl(self.api.url()).version == version
            # Before the route is there, both versions answer: one answer alone tells nothing.
            explained = self.client.admin(f"/explain?url={self.api.url()}")[1]
            return answered and f"||api-{version}." in explained
        wait.until(look, f"answers of {version}, by its route", timeout)

    def load(self):
        return Load(self.client.pod, self.api.ip4, 80, clients=2, pause=0.01)


def ctl(mesh, *words, check=True):
    return mesh.control_pod.run([flags.binary("remoractl"), *words, "--state-dir", mesh.state_dir],
                                uid=networks.APP_UID, check=check)


def control_total(mesh, name, **labels):
    return metrics.scrape(mesh.control_pod, flags.CONTROL_METRICS_PORT).total(name, **labels)


def end_of_control(mesh):
    """Starts it where it cannot start; what it says and how it ends."""
    process = mesh.control_pod.start(flags.control(mesh.folder.path, mesh.state_dir), "control", uid=networks.APP_UID)
    status = process.wait()
    return status, process.log()


def connected(member):
    return member.metrics().total("remora_xds_connected") == 1


# ---- No room ------------------------------------------------------------------------------------


def test_without_room_for_its_state_it_signs_nothing_new_and_goes_on(mesh):
    shop = Shop(mesh)
    token = mesh.issue_token("default", "late")
    before = control_total(mesh, "remora_control_certificates_issued_total")
    with shop.load() as load:
        with full(mesh.state_dir):
            done = ctl(mesh, "token", "create", "--service-account", "default/late", check=False)
            assert done.returncode == 1 and NO_ROOM in done.stderr, done
            assert len(re.findall(r"default +late .* active", ctl(mesh, "token", "list").stdout)) == 1
            # A token for one use: that it is used must be written down before anything is signed.
            late = mesh.member("late", sidecar=False)
            mesh.issue_token = lambda *_: token
            late.start_proxy()
            wait.until(lambda: control_total(mesh, "remora_control_certificates_refused_total") > 0, "it is refused")
            wait.until(lambda: "cannot be recorded" in late.why_not_ready(), "the reason on /ready")
            assert NO_ROOM in mesh.control.log()
            assert control_total(mesh, "remora_control_certificates_issued_total") == before
            # What needs no room goes on.
            shop.send_to("v2")
            shop.wait_for("v2")
        late.wait_ready(timeout=60)
        assert control_total(mesh, "remora_control_certificates_issued_total") == before + 1
        assert ctl(mesh, "token", "create", "--service-account", "default/other").stdout.startswith("rmt_")
    load.assert_clean(at_least=20)


def test_without_room_it_starts_again_on_what_is_there(mesh):
    shop = Shop(mesh)
    with shop.load() as load, full(mesh.state_dir):
        mesh.kill_control()
        mesh.start()
        shop.send_to("v2")
        shop.wait_for("v2", timeout=30)
    load.assert_clean(at_least=20)


def test_without_room_for_the_first_start_it_says_so_and_starts_when_there_is(network):
    state = network.make_disk(STATE, "64k", networks.APP_UID)
    made = meshes.Mesh(network)
    with full(state):
        status, said = end_of_control(made)
        assert status == 1 and NO_ROOM in said, said
    made.start()
    made.control.wait_log("made a new root")


def test_without_room_a_proxy_keeps_the_last_known_good_of_before(mesh):
    network = mesh.network
    folder = network.make_disk("client-proxy", "256k", networks.PROXY_UID)
    keys = network.make_disk("client-keys", "64k", networks.PROXY_UID)
    os.chmod(keys, 0o700)
    shop = Shop(mesh, proxy_words=["--key-dir", keys])
    path = os.path.join(folder, "last-known-good")
    wanted = b"outbound|80||api.default.svc.cluster.local"

    def kept():
        with open(path, "rb") as file:
            return file.read()
    wait.until(lambda: wanted in kept(), "the configuration is kept")
    with shop.load() as load, full(folder):
        before = kept()
        shop.send_to("v2")
        shop.wait_for("v2")
        shop.client.proxy.wait_log(f"last known good cannot be written; the file before stays.*{NO_ROOM}")
        assert kept() == before
        mesh.kill_control()
        load.wait_more(10)
        load.assert_clean()
        load.stop()
        # What it starts on is the file before: v1.
        shop.client.restart_proxy()
        shop.client.wait_ready()
        shop.wait_for("v1")
        mesh.start()
        shop.wait_for("v2", timeout=30)
    wait.until(lambda: kept() != before, "the file of now, as there is room again", timeout=30)


# ---- Files that are cut, or gone ----------------------------------------------------------------


def test_a_cut_key_or_certificate_is_told_and_left_alone(mesh):
    """Nothing is made anew over it, since every proxy would have to join again."""
    shop = Shop(mesh)
    secrets = os.path.join(mesh.state_dir, "secrets")
    with shop.load() as load:
        mesh.kill_control()
        for name in ("root.key", "root.crt", "intermediate.key", "intermediate.crt"):
            path = os.path.join(secrets, name)
            with open(path, "rb") as file:
                whole = file.read()
            for content in (b"", whole[:len(whole) // 2]):
                with open(path, "r+b") as file:
                    file.truncate(len(content))
                status, said = end_of_control(mesh)
                assert status == 1 and f"state folder: {name}" in said, said
                with open(path, "r+b") as file:
                    assert file.read() == content, "left alone"
                    file.seek(0)
                    file.write(whole)
        load.wait_more(10)
        mesh.start()
        shop.send_to("v2")
        shop.wait_for("v2", timeout=30)
        for member in mesh.members.values():
            wait.until(lambda member=member: connected(member), f"{member.name} is connected", timeout=30)
    load.assert_clean(at_least=20)


def test_a_lost_state_folder_is_told_by_both_sides_and_can_be_put_back(mesh):
    shop = Shop(mesh)
    saved = os.path.join(mesh.network.folder, "saved")
    with shop.load() as load:
        mesh.kill_control()
        shutil.copytree(os.path.join(mesh.state_dir, "secrets"), saved)
        for name in os.listdir(mesh.state_dir):
            path = os.path.join(mesh.state_dir, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
        mesh.start()
        mesh.control.wait_log("made a new root trust_domain=remora.local")
        # Those who knew the old one believe nothing of it, say so, and go on.
        for member in mesh.members.values():
            member.proxy.wait_log("cannot be reached; nothing changes for traffic .*no root of the trust domain signed",
                                  timeout=30)
        assert not connected(shop.client)
        shop.send_to("v2")
        count = load.count
        load.wait_more(50)
        assert load.versions["v2"] == 0 and load.count >= count + 50
        assert json.loads(ctl(mesh, "proxies", "-o", "json").stdout)["proxies"] == []
        # The folder is put back, as it should be: nobody has to join again.
        assert mesh.control.stop() == 0
        secrets = os.path.join(mesh.state_dir, "secrets")
        shutil.rmtree(secrets)
        shutil.copytree(saved, secrets)
        for path in (secrets, *(os.path.join(secrets, name) for name in os.listdir(secrets))):
            os.chown(path, networks.APP_UID, networks.APP_UID)
        mesh.start()
        shop.wait_for("v2", timeout=60)
        for member in mesh.members.values():
            wait.until(lambda member=member: connected(member), f"{member.name} is connected", timeout=60)
    load.assert_clean(at_least=50)
