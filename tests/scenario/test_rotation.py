"""Certificates of ten seconds: they are renewed under load and nothing breaks; and who gets none."""
import os
import shutil
import socket
import time

import pytest

from mesh import apps, clients, flags, manifests, metrics, network as networks, wait
from mesh.load import Load


def renewals(member):
    return member.metrics().total("remora_cert_renewals_total", result="issued")


@pytest.fixture
def short_lived(mesh):
    mesh.folder.write("mesh", manifests.mesh_config(certificates={"lifetime": "10s"}))
    return mesh


class RedisConnection:
    """One connection to Redis that stays."""

    def __init__(self, pod, host, port=6379):
        self._count = 0
        with pod.entered():
            self._socket = socket.create_connection((host, port), timeout=10)

    def ping(self):
        self._count += 1
        word = b"still-%d" % self._count
        self._socket.sendall(b"*2\r\n$4\r\nECHO\r\n$%d\r\n%s\r\n" % (len(word), word))
        reply = b""
        wanted = b"$%d\r\n%s\r\n" % (len(word), word)
        while len(reply) < len(wanted):
            piece = self._socket.recv(4096)
            assert piece, "the connection has ended"
            reply += piece
        assert reply == wanted
        return True

    def close(self):
        self._socket.close()


def test_rotation_breaks_nothing(short_lived):
    mesh, began = short_lived, time.time()
    api = mesh.service("api")
    store = mesh.service("store", {"redis": (6379, "redis", "redis")})
    echo = mesh.service("echo", {"grpc": (9000, "grpc", "grpc")})
    client = mesh.member("client")
    serving = [mesh.member("api-1", app="api", version="v1", program=apps.version_service),
               mesh.member("store-1", app="store", program=apps.redis, ports={"redis": 6379}),
               mesh.member("echo-1", app="echo", version="g1", program=apps.grpc_echo, ports={"grpc": 9000})]
    mesh.wait_ready()
    wait.until(lambda: client.curl(api.url()).status == 200, "a first answer")
    connection = RedisConnection(client.pod, store.ip4)
    wait.until(connection.ping, "an answer of Redis")
    # One call whose messages are seconds apart, over the whole of three rotations.
    stream = client.pod.start([*clients.PYTHON, os.path.join(flags.APPS, "grpc_slow_stream.py"),
                               f"ipv4:{echo.ip4}:9000", "0.5", "1000"], "stream", uid=networks.APP_UID)
    stream.wait_log("^reply 1$")
    before = {member.name: renewals(member) for member in mesh.members.values()}
    with Load(client.pod, api.ip4, 80, pause=0.01) as load:
        for member in [client, *serving]:
            def rotated(member=member):
                assert connection.ping()
                return renewals(member) >= before[member.name] + 3
            wait.until(rotated, f"three rotations of {member.name}", timeout=60)
        load.wait_more(20)
        assert connection.ping()
        replies = stream.log().count("reply ")
        wait.until(lambda: stream.log().count("reply ") > replies, "the stream goes on")
        assert stream.is_running(), stream.log()
    load.assert_clean(at_least=500)
    connection.close()
    for member in mesh.members.values():
        assert member.is_ready()
        # Later than the first one's end: what is in use is a renewed one.
        assert member.metrics().total("remora_cert_expiration_timestamp_seconds") > began + 10
        assert member.metrics().total("remora_cert_renewals_total", result="failed") == 0
        # Each certificate has a connection to the control plane of its own: nobody is alarmed by that.
        log = member.proxy.log()
        assert "control plane is away" not in log and "stream has ended" not in log, log


class Applicant:
    """A proxy that asks for a certificate with the token given."""

    def __init__(self, mesh, token, name="client", roots=None, words=()):
        self.mesh = mesh
        # Without a sidecar of its own making: that one would have a good token.
        self.member = mesh.member(name, service_account="client", sidecar=False)
        folder = mesh.network.make_folder(f"{name}-proxy", networks.PROXY_UID)
        token_file = os.path.join(folder, "token")
        with open(token_file, "w", encoding="ascii") as file:
            file.write(token)
        os.chown(token_file, networks.PROXY_UID, networks.PROXY_UID)
        os.chmod(token_file, 0o600)
        argv = flags.proxy(self.member, mesh.control_address, roots or mesh.roots_file, token_file, folder,
                           *words)
        self.member.proxy = self.member.pod.start(argv, "proxy", uid=networks.PROXY_UID)

    def assert_refused(self, reason, words, others=0):
        """Counted, told on /ready and in the control plane's log; and only `others` were given any."""
        def total(name, **labels):
            return metrics.scrape(self.mesh.control_pod, flags.CONTROL_METRICS_PORT).total(name, **labels)
        wait.until(lambda: total("remora_control_certificates_refused_total", reason=reason) > 0,
                   f"a refusal counted as {reason}")
        wait.until(lambda: words in self.member.why_not_ready(), f"{words!r} on /ready")
        assert words in self.mesh.control.log(), "the control plane's log"
        assert total("remora_control_certificates_issued_total") == others


def test_a_control_plane_of_another_identity_gets_no_token(mesh):
    """Whoever has a certificate of the mesh is not yet its control plane (CVE-2021-37219)."""
    wanted = f"spiffe://{mesh.trust_domain}/ns/remora-system/sa/another"
    applicant = Applicant(mesh, mesh.issue_token("default", "client"), words=("--control-identity", wanted))
    shown = f"spiffe://{mesh.trust_domain}/ns/remora-system/sa/remora-control"
    wait.until(lambda: wanted in applicant.member.why_not_ready() and shown in applicant.member.why_not_ready(),
               "both identities on /ready")
    assert metrics.scrape(mesh.control_pod, flags.CONTROL_METRICS_PORT).total(
        "remora_control_certificates_issued_total") == 0
    assert " active " in ctl(mesh, "token", "list"), "the token was never shown"


def test_replaced_roots_of_the_control_plane_are_taken(mesh):
    """The proxy was given another mesh's root; it joins when the file is mended, without a restart."""
    folder = mesh.network.make_folder("roots", networks.PROXY_UID)
    roots, other = os.path.join(folder, "root.pem"), os.path.join(folder, "other.pem")
    mesh.control_pod.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                          "-subj", "/CN=another mesh", "-keyout", os.path.join(folder, "key.pem"), "-out", other])
    os.chmod(other, 0o644)
    os.replace(other, roots)
    applicant = Applicant(mesh, mesh.issue_token("default", "client"), roots=roots)
    proxy = applicant.member.proxy
    wait.until(lambda: "no root of the trust domain signed the chain" in applicant.member.why_not_ready(),
               "the reason on /ready")
    with open(roots, "a", encoding="ascii") as file:
        file.write("no certificate\n-----BEGIN CERTIFICATE-----\n")
    proxy.wait_log("the control plane's roots are not taken", timeout=30)
    shutil.copy(mesh.roots_file, other)
    os.replace(other, roots)
    proxy.wait_log("the control plane's roots have changed", timeout=30)
    applicant.member.wait_ready(timeout=60)


def ctl(mesh, *words):
    argv = [flags.binary("remoractl"), *words, "--state-dir", mesh.state_dir]
    return mesh.control_pod.run(argv, uid=networks.APP_UID).stdout.strip()


def test_unknown_token_is_refused(mesh):
    Applicant(mesh, "rmt_0123456789abcdef_" + "0" * 64).assert_refused("token_unknown", "not one of this mesh")


def test_text_that_is_no_token_is_refused(mesh):
    Applicant(mesh, "please").assert_refused("token_malformed", "this is not a join token")


def test_revoked_token_is_refused(mesh):
    token = mesh.issue_token("default", "client")
    ctl(mesh, "token", "revoke", token)
    Applicant(mesh, token).assert_refused("token_revoked", "revoked")


def test_expired_token_is_refused(mesh):
    token = ctl(mesh, "token", "create", "--service-account", "default/client", "--lifetime", "1s")
    wait.until(lambda: "expired" in ctl(mesh, "token", "list"), "the token's end")
    Applicant(mesh, token).assert_refused("token_expired", "expired")


def test_token_of_another_service_account_is_refused(mesh):
    Applicant(mesh, mesh.issue_token("default", "web")).assert_refused(
        "csr", "an identity that the requester does not have")


def test_token_is_good_once(mesh):
    token = mesh.issue_token("default", "client")
    Applicant(mesh, token, "first").member.wait_ready()
    Applicant(mesh, token, "second").assert_refused("token_spent", "spent", others=1)
