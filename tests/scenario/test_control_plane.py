"""remora-control as strangers see it: grpcio over TLS, with join tokens and certificates."""
import json
import os
import re
import signal
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from concurrent import futures

import grpc
import pytest

from mesh import control_client as client, flags, manifests, process, wait


class Control:
    """The daemon on loopback, on ports that the kernel chose."""

    def __init__(self, network):
        self.network = network
        self.state_dir = network.make_folder("state", 0)
        self.folder = manifests.Folder(network.make_folder("manifests", 0))
        self.running = None

    def start(self, *words):
        argv = flags.control(self.folder.path, self.state_dir, "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0",
                             *words)
        self.running = self.network.processes.start(argv, "control")
        self.address = self.running.wait_log(r"listening xds=(\S+)").group(1)
        self.running.wait_log(r"control ready")
        with open(flags.control_roots(self.state_dir), "rb") as file:
            self.roots = file.read()

    def ctl(self, *words, check=True):
        argv = [flags.binary("remoractl"), *words, "--state-dir", self.state_dir]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
        assert not check or done.returncode == 0, done.stderr
        return done

    def page(self, *words):
        return json.loads(self.ctl(*words, "-o", "json").stdout)

    def token(self, account="shop/web", *words):
        return self.ctl("token", "create", "--service-account", account, *words).stdout.strip()

    def channel(self, key=None, chain=None):
        return client.Channel(self.address, self.roots, key, chain)

    def member(self, account="shop/web"):
        """A channel of a workload with a certificate."""
        key = client.new_key()
        with self.channel() as nobody:
            chain = nobody.create_certificate(client.csr(key), self.token(account))
        return self.channel(key, "".join(chain).encode())


@pytest.fixture
def control(network):
    made = Control(network)
    made.folder.write("api", manifests.service("api", {"http": (8080, "http", "http")}, "shop",
                                               cluster_ips=["10.96.0.10"]),
                      manifests.workload("api-1", ["10.7.0.12"], {"http": 8080}, {"app": "api", "version": "v1"},
                                         "shop", "api"))
    made.start()
    return made


HOST = "api.shop.svc.cluster.local"
LISTENER = f"{HOST}:8080"
CLUSTER = f"outbound|8080||{HOST}"


def endpoints(response):
    load = client.resources("EDS", response)[CLUSTER]
    return sorted(endpoint.endpoint.address.socket_address.address
                  for locality in load.endpoints for endpoint in locality.lb_endpoints)


def edit(control, *addresses):
    control.folder.write("api", manifests.service("api", {"http": (8080, "http", "http")}, "shop",
                                                  cluster_ips=["10.96.0.10"]),
                         *(manifests.workload(f"api-{at}", [address], {"http": 8080}, {"app": "api"}, "shop", "api")
                           for at, address in enumerate(addresses, 1)))


# ---- Certificates -------------------------------------------------------------------------------


def test_a_token_gives_a_certificate_of_its_account_once(control):
    token = control.token()
    key = client.new_key()
    with control.channel() as channel:
        chain = channel.create_certificate(client.csr(key), token)
        assert client.identity(chain[0]) == ["spiffe://remora.local/ns/shop/sa/web"]
        assert chain[-1].encode() == control.roots
        assert 86000 < client.lifetime(chain[0]) <= 86400
        # A lost answer may be asked for again, for the same key; another key is another workload.
        assert len(channel.create_certificate(client.csr(key), token)) == len(chain)
        with pytest.raises(grpc.RpcError) as refused:
            channel.create_certificate(client.csr(client.new_key()), token)
        assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
        assert "spent" in refused.value.details()


def test_a_certificate_renews_itself_and_no_other(control):
    with control.member() as member:
        uri = "spiffe://remora.local/ns/shop/sa/web"
        chain = member.create_certificate(client.csr(client.new_key(), [uri]), seconds=10)
        assert client.identity(chain[0]) == [uri]
        assert 0 < client.lifetime(chain[0]) <= 10
        with pytest.raises(grpc.RpcError) as refused:
            member.create_certificate(client.csr(client.new_key(), ["spiffe://remora.local/ns/shop/sa/api"]))
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_the_mesh_says_how_long_certificates_live_and_who_has_none_is_nobody(control):
    control.folder.write("mesh", manifests.mesh_config(certificates={"lifetime": "10s"}))
    key = client.new_key()
    with control.channel() as nobody:
        def short():
            chain = nobody.create_certificate(client.csr(key), control.token())
            return chain if client.lifetime(chain[0]) <= 10 else None
        chain = wait.until(short, "the lifetime is in force")
    with control.channel(key, "".join(chain).encode()) as member:
        stream = member.ads("delta")
        stream.send("WORKLOAD", resource_names_subscribe=["self"])
        self = client.resources("WORKLOAD", stream.take("WORKLOAD"))["self"]
        assert self.certificate_lifetime_s == 10
        # Neither the stream nor the connection outlives it.
        code, words = stream.ended_with(timeout=30)
        assert code == grpc.StatusCode.UNAUTHENTICATED and "has ended" in words
        with pytest.raises(grpc.RpcError) as refused:
            member.create_certificate(client.csr(client.new_key()))
        assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("wish, word", [
    ({"uris": ["spiffe://remora.local/ns/shop/sa/api"]}, "does not have"),
    ({"uris": ["spiffe://elsewhere/ns/shop/sa/web"]}, "does not have"),
    ({"uris": ["spiffe://remora.local/ns/shop/sa/web", "spiffe://remora.local/ns/shop/sa/api"]}, "more names"),
    ({"dns": ["api.shop"]}, "more names"),
    ({"ca": True}, "CA"),
], ids=["another account", "another trust domain", "two identities", "a DNS name", "a signer"])
def test_a_request_for_more_is_refused_and_counted(control, wish, word):
    with control.channel() as channel, pytest.raises(grpc.RpcError) as refused:
        channel.create_certificate(client.csr(client.new_key(), **wish), control.token())
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert word in refused.value.details()
    assert 'remora_control_certificates_refused_total{reason="csr"} 1' in control_metrics(control)


def control_metrics(control):
    path = os.path.join(control.state_dir, "admin.sock")
    done = subprocess.run(["curl", "-sS", "--unix-socket", path, "http://control/metrics"], capture_output=True,
                          text=True, check=True)
    return done.stdout


def test_bad_tokens_are_refused_with_their_reason(control):
    revoked = control.token()
    control.ctl("token", "revoke", revoked)
    bad = {None: "neither", "nonsense": "not a join token", "rmt_" + "0" * 16 + "_" + "0" * 64: "not one of this mesh",
           revoked: "revoked", control.token()[:-1] + "x": "not a join token"}
    with control.channel() as channel:
        for token, word in bad.items():
            with pytest.raises(grpc.RpcError) as refused:
                channel.create_certificate(client.csr(client.new_key()), token)
            assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
            assert word in refused.value.details()
        short = control.token("shop/web", "--lifetime", "1s")

        def expired():
            try:
                channel.create_certificate("", short)
            except grpc.RpcError as error:
                return "expired" in error.details()
        wait.until(expired, "a token of one second ends")


def test_garbage_on_the_port_hurts_nobody(control):
    with control.channel() as channel:
        for path in (client.CREATE, client.ADS + "DeltaAggregatedResources", client.LOAD, "/no.such/Method"):
            for garbage in (b"\xff" * 100, b"\x0a\xff\xff\xff\xff\x0f", os.urandom(5000)):
                with pytest.raises(grpc.RpcError):
                    channel.raw_call(path, garbage, control.token("shop/web", "--reusable"))
    host, port = control.address.split(":")
    subprocess.run(["bash", "-c", f"head -c 100000 /dev/urandom > /dev/tcp/{host}/{port}"], check=False,
                   capture_output=True, timeout=10)
    with control.member() as member:
        stream = member.ads("delta")
        stream.send("WORKLOAD", resource_names_subscribe=["self"])
        assert stream.take("WORKLOAD").resources
    assert control.running.is_running()


# ---- Discovery ----------------------------------------------------------------------------------


def test_delta_tells_what_is_asked_for_and_what_changes(control):
    with control.member() as member:
        stream = member.ads("delta", {"id": "web-1.shop"})
        stream.send("PHONE")
        book = stream.take("PHONE")
        assert [resource.name for resource in book.resources] == ["shop/api"]
        stream.ack("PHONE", book)
        stream.send("SDS", resource_names_subscribe=["ROOTCA"])
        roots = client.resources("SDS", stream.take("SDS"))["ROOTCA"]
        assert roots.validation_context.trusted_ca.inline_bytes == control.roots
        stream.send("LDS", resource_names_subscribe=[LISTENER, "nobody.shop.svc.cluster.local:1"])
        listeners = stream.take("LDS")
        assert [resource.name for resource in listeners.resources] == [LISTENER]
        assert list(listeners.removed_resources) == ["nobody.shop.svc.cluster.local:1"]
        stream.ack("LDS", listeners)
        stream.send("EDS", resource_names_subscribe=[CLUSTER])
        first = stream.take("EDS")
        assert endpoints(first) == ["10.7.0.12"]
        stream.ack("EDS", first)
        edit(control, "10.7.0.12", "10.7.0.13")
        second = stream.take("EDS")
        assert endpoints(second) == ["10.7.0.12", "10.7.0.13"]
        stream.ack("EDS", second)
        control.folder.remove("api")
        removed = {}
        while len(removed) < 3:
            gone = stream.take()
            removed[gone.type_url] = list(gone.removed_resources)
            stream._requests.put(stream._request(type_url=gone.type_url, response_nonce=gone.nonce))
        assert list(removed.values()) == [["shop/api"], [LISTENER], [CLUSTER]]


def test_delta_sends_only_differences_after_a_reconnect(control):
    with control.member() as member:
        stream = member.ads("delta")
        stream.send("EDS", resource_names_subscribe=[CLUSTER])
        known = {resource.name: resource.version for resource in stream.take("EDS").resources}
        stream.close()
        again = member.ads("delta")
        again.send("EDS", resource_names_subscribe=[CLUSTER], initial_resource_versions=known)
        assert not again.take("EDS").resources
        assert again.is_silent(0.3)
        # A control plane that was restarted has the same versions: they are of the content.
        again.close()
    control.running.stop()
    control.start()
    with control.member() as member:
        stream = member.ads("delta")
        stream.send("EDS", resource_names_subscribe=[CLUSTER], initial_resource_versions=known)
        assert not stream.take("EDS").resources


def test_state_of_the_world_for_a_grpc_client(control):
    with control.channel() as channel:
        token = control.token("shop/web", "--reusable")
        stream = channel.ads("sotw", {"id": "x", "agent": "gRPC Python", "metadata": {"NAMESPACE": "shop"}}, token)
        stream.send("LDS", resource_names=["api:8080"])
        listeners = stream.take("LDS")
        listener = client.resources("LDS", listeners)["api:8080"]
        assert listener.api_listener.api_listener.type_url.endswith(".HttpConnectionManager")
        stream.ack("LDS", listeners, resource_names=["api:8080"])
        stream.send("RDS", resource_names=[CLUSTER])
        routes = stream.take("RDS")
        assert client.resources("RDS", routes)[CLUSTER].virtual_hosts
        stream.ack("RDS", routes, resource_names=[CLUSTER])
        stream.send("EDS", resource_names=[CLUSTER])
        first = stream.take("EDS")
        assert endpoints(first) == ["10.7.0.12"]
        # A stale nonce is not listened to: a newer response is under way.
        stream.send("EDS", resource_names=[CLUSTER, "x"], response_nonce="0000000000000003")
        stream.ack("EDS", first, resource_names=[CLUSTER])
        assert stream.is_silent(0.3)
        edit(control, "10.7.0.13")
        second = stream.take("EDS")
        assert endpoints(second) == ["10.7.0.13"]
        assert second.version_info != first.version_info


def test_refused_configuration_is_shown_and_not_sent_again(control):
    with control.member() as member:
        stream = member.ads("delta", {"id": "web-7"})
        stream.send("CDS", resource_names_subscribe=[CLUSTER])
        response = stream.take("CDS")
        stream.send("CDS", response_nonce=response.nonce, refused="cluster: not to my taste")
        wait.until(lambda: "not to my taste" in control.ctl("proxies").stdout, "the refusal is shown")
        assert stream.is_silent(0.3)
        assert control.ctl("check", check=False).returncode == 1
        told = control.page("proxies")["proxies"][0]
        assert (told["id"], told["nacks"], told["synced"]) == ("web-7", 1, False)
        assert 0 < told["certificateSecondsLeft"] <= 86400
    assert "remora_control_xds_nacks_total 1" in control_metrics(control)


def test_a_node_must_be_who_its_identity_is(control):
    with control.member() as member:
        stream = member.ads("delta", {"id": "x", "metadata": {"NAMESPACE": "kube-system"}})
        stream.send("PHONE")
        assert stream.ended_with()[0] == grpc.StatusCode.PERMISSION_DENIED
    with control.channel() as channel:
        stream = channel.ads("delta")
        stream.send("PHONE")
        assert stream.ended_with()[0] == grpc.StatusCode.UNAUTHENTICATED
        stream = channel.ads("sotw", token=control.token())
        stream.send("LDS")
        code, words = stream.ended_with()
        assert code == grpc.StatusCode.UNAUTHENTICATED and "single-use" in words


class Named(grpc.GenericRpcHandler):
    """A gRPC server that says its name."""

    def __init__(self, name):
        self.name = name.encode()
        self.server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[self])
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(lambda request, call: self.name)


def test_a_grpc_program_finds_its_service_by_xds(control):
    servers = [Named("one"), Named("two")]

    def lead_to(server):
        control.folder.write("who", manifests.service("who", {"grpc": (9000, "grpc", "grpc")}, "shop",
                                                      cluster_ips=["10.96.0.20"]),
                             manifests.workload("who-1", ["127.0.0.1"], {"grpc": server.port}, {"app": "who"}, "shop",
                                                "who", sidecar=False))
    lead_to(servers[0])
    control.running.stop()
    control.start("--listen-plain", "127.0.0.1:0")
    plain = re.search(r"xds_plain=(\S+)", control.running.log().rsplit("listening", 1)[1]).group(1)
    names = ["who:9000", "who.shop:9000", "who.shop.svc.cluster.local:9000"]
    argv = [sys.executable, os.path.join(flags.APPS, "xds_grpc_client.py"), plain, *names]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        try:
            assert [program.stdout.readline() for _ in names] == ["one\n"] * 3
            lead_to(servers[1])

            def who():
                program.stdin.write("\n")
                program.stdin.flush()
                return program.stdout.readline() == "two\n"
            wait.until(who, "the calls follow the edit")
            assert not any(proxy["nacks"] for proxy in control.page("proxies")["proxies"])
        finally:
            program.kill()
    for server in servers:
        server.server.stop(None)


def test_xds_without_tls_is_for_this_machine_only(control):
    argv = flags.control(control.folder.path, control.network.make_folder("other", 0), "--listen", "127.0.0.1:0",
                         "--metrics", "off", "--listen-plain", "0.0.0.0:0")
    other = process.Process(argv, "other", os.path.join(control.network.folder, "other.log"))
    assert other.wait() == 1
    assert "loopback only" in other.log()


# ---- The rest -----------------------------------------------------------------------------------


def test_load_reports_become_the_live_table(control):
    with control.member() as member:
        answer = member.report_load({"node_id": "web-1", "interval_ms": 1000, "services": [
            {"service": "api", "namespace_name": "shop", "requests": 100, "failures": 1, "bucket": [60, 120],
             "bucket_count": [99, 1], "latency_sum_us": 1000000, "open_connections": 3, "version": "v2"}]})
        assert answer.interval_ms == 1000
    row = control.page("top")["services"][0]
    assert (row["service"], row["requestsPerSecond"], row["success"]) == ("shop/api", 100.0, 0.99)
    assert row["versions"][0]["name"] == "v2" and row["sources"][0]["name"] == "shop/web"
    assert re.search(r"shop/api +100\.0 +99\.00% .* 3 +v2 100%", control.ctl("top", "--once").stdout)


def cluster_stats(name=CLUSTER, success=0, error=0, dropped=0, seconds=1):
    return {"cluster_name": name, "total_dropped_requests": dropped, "load_report_interval": {"seconds": seconds},
            "upstream_locality_stats": [{"total_successful_requests": success, "total_error_requests": error}]}


def test_load_reports_of_envoy_become_the_live_table(control):
    with control.member() as member:
        answer = member.report_stats({"node": {"id": "envoy-1"}},
                                     {"cluster_stats": [cluster_stats(success=90, error=6, dropped=4)]})
        assert answer.load_reporting_interval.seconds == 1 and answer.send_all_clusters
    row, = control.page("top")["services"]
    assert (row["service"], row["requestsPerSecond"], row["success"]) == ("api.shop.svc.cluster.local", 100.0, 0.9)
    assert row["sources"][0]["name"] == "shop/web"


@pytest.mark.parametrize("stats", [
    cluster_stats(success=1, seconds=0), cluster_stats(success=1, seconds=-1), cluster_stats(success=1, seconds=2**40),
    cluster_stats(success=2**64 - 1, error=2**64 - 1), cluster_stats(success=2**40), cluster_stats(name="", success=1),
    {"cluster_name": CLUSTER, "load_report_interval": {"nanos": -1}}, {}])
def test_numbers_beyond_reason_are_left_out_of_the_table(control, stats):
    with control.member() as member:
        member.report_stats({"cluster_stats": [stats, cluster_stats(success=100)]})
    row, = control.page("top")["services"]
    assert row["requestsPerSecond"] <= 101


def test_load_reports_of_envoy_are_bounded(control):
    with control.member() as member:
        with pytest.raises(grpc.RpcError) as malformed:
            member.report_stats(b"\x0a\xff\xff")
        assert malformed.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        with pytest.raises(grpc.RpcError) as large:
            member.report_stats({"node": {"id": "x" * (8 << 20)}})
        assert large.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        member.report_stats({"cluster_stats": [cluster_stats(name=f"s-{at}", success=1) for at in range(6000)]})
        assert len(control.page("top")["services"]) == 4096
    with control.channel() as nobody, pytest.raises(grpc.RpcError) as stranger:
        nobody.report_stats({"cluster_stats": [cluster_stats(success=1)]})
    assert stranger.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_broken_manifests_are_told_and_change_nothing(control):
    control.folder.write("broken", "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {ports: 7}\n")
    status = wait.until(lambda: (page := control.page("status"))["problems"] and page, "the problem is told")
    assert any("broken.yaml:4" in line for line in status["problems"])
    assert control.ctl("check", check=False).returncode == 1
    with control.member() as member:
        stream = member.ads("delta")
        stream.send("EDS", resource_names_subscribe=[CLUSTER])
        assert endpoints(stream.take("EDS")) == ["10.7.0.12"]


def test_status_is_sorted_for_people(control):
    rows = [line.split()[:3] for line in control.ctl("status").stdout.splitlines()[1:]]
    assert len(rows) > 1 and rows == sorted(rows)


def test_remoractl_says_what_is_wrong_and_what_to_do(control, tmp_path):
    def run(*words):
        done = subprocess.run([flags.binary("remoractl"), *words], capture_output=True, text=True, timeout=20,
                              check=False, env={"PATH": os.environ["PATH"]})
        return done.returncode, done.stdout, done.stderr
    here = ("--state-dir", control.state_dir)
    cases = [
        ((), 2, "Usage"), (("--help",), 0, "validate FILE..."), (("--version",), 0, "remoractl "),
        (("nonsense",), 2, "no command"), (("top", "--reusable"), 2, "not known here"),
        (("status",), 2, "--state-dir"), (("status", "--state-dir", str(tmp_path)), 3, "is it running"),
        (("token", "create", *here), 2, "--service-account"),
        (("token", "create", "--service-account", "a/b", "--lifetime", "soon", *here), 2, "--lifetime"),
        (("token", "create", "--service-account", "a/../b", *here), 1, "names of"),
        (("token", "revoke", "zz", *here), 2, "no id"), (("token", "revoke", "0" * 16, *here), 1, "no token of that id"),
        (("explain", "http://x/", "--admin", "127.0.0.1:1"), 3, "no proxy answers"),
        (("ca", "export", *here), 0, "BEGIN CERTIFICATE"), (("check", *here), 0, "certificates"),
        (("validate",), 2, "needs files"), (("validate", "/nonexistent"), 1, "No such file"),
    ]
    for words, status, text in cases:
        got, out, error = run(*words)
        assert (got, text in out + error) == (status, True), (words, got, out, error)
    for command in ("top", "status", "proxies", "check", "validate", "explain", "token", "ca", "version"):
        assert run(command, "--help")[0] == 0
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {ports: [{port: 80}]}\n")
    bad.write_text("apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec:\n  ports: [{prt: 80}]\n")
    assert run("validate", str(good))[0] == 0
    status, out, _ = run("validate", "-o", "json", str(good), str(bad))
    told = json.loads(out)
    assert status == 1 and (told["files"], told["errors"] > 0) == (2, True)
    assert told["problems"][0]["line"] == 5 and told["problems"][0]["file"] == str(bad)


def test_the_daemon_says_what_is_wrong_and_ends(control, tmp_path):
    def run(*words):
        done = subprocess.run([flags.binary("remora-control"), *words], capture_output=True, text=True, timeout=20,
                              check=False)
        return done.returncode, done.stdout + done.stderr
    dirs = ("--config-dir", str(tmp_path), "--state-dir", str(tmp_path / "state"))
    busy = ("--listen", control.address, "--metrics", "off")
    cases = [
        (("--help",), 0, "--trust-domain"), (("--version",), 0, "remora-control "), ((), 2, "--config-dir is missing"),
        ((*dirs, "--listen", "here"), 2, "not an address"), ((*dirs, "--wrong"), 2, "--wrong is not known"),
        ((*dirs, "--ca-key", "x"), 2, "go together"), ((*dirs, "--trust-domain", "A b"), 2, "no trust domain"),
        ((*dirs, *busy), 1, "cannot listen"),
        (("--config-dir", str(tmp_path), "--state-dir", control.state_dir, *busy), 1, "in use by another process"),
    ]
    for words, status, text in cases:
        got, out = run(*words)
        assert (got, text in out) == (status, True), (words, got, out)


def test_state_is_private_and_survives(control):
    folder = os.path.join(control.state_dir, "secrets")
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
    for name in os.listdir(folder):
        assert stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode) == 0o600, name
    assert stat.S_IMODE(os.stat(os.path.join(control.state_dir, "admin.sock")).st_mode) == 0o600
    token = control.token("shop/web", "--reusable")
    with open(os.path.join(folder, "tokens"), encoding="utf-8") as file:
        assert token.split("_")[2] not in file.read()
    roots = control.roots
    control.running.signal(signal.SIGKILL)
    control.running.wait()
    # While nobody runs, tokens are made on the folder itself.
    offline = control.token("shop/api")
    control.start()
    assert control.roots == roots
    with control.channel() as channel:
        for each in (token, offline):
            assert channel.create_certificate(client.csr(client.new_key()), each)
    assert control.running.stop() == 0
    os.chmod(os.path.join(folder, "root.key"), 0o640)
    argv = flags.control(control.folder.path, control.state_dir, "--listen", "127.0.0.1:0", "--metrics", "off")
    loose = process.Process(argv, "loose", os.path.join(control.network.folder, "loose.log"))
    assert loose.wait() == 1
    assert "others may use it" in loose.log()


def test_a_torn_token_file_falls_back_to_the_one_before(control):
    token = control.token("shop/web", "--reusable")
    control.token("shop/web")
    assert control.running.stop() == 0
    path = os.path.join(control.state_dir, "secrets", "tokens")
    with open(path, "r+", encoding="utf-8") as file:
        file.truncate(100)
    control.start()
    assert "the one before it is used" in control.running.log()
    with control.channel() as channel:
        assert channel.create_certificate(client.csr(client.new_key()), token)


def test_the_open_port_shows_no_more_than_it_must(control):
    port = re.search(r"metrics=(\S+)", control.running.log()).group(1)
    with urllib.request.urlopen(f"http://{port}/metrics", timeout=5) as response:
        assert b"remora_control_services 1" in response.read()
    with urllib.request.urlopen(f"http://{port}/ready", timeout=5) as response:
        assert response.status == 200
    for path, method in (("/proxies", "GET"), ("/debug/config?proxy=x", "GET"), ("/tokens", "GET"),
                         ("/tokens", "POST"), ("/metrics", "DELETE")):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(f"http://{port}{path}", method=method), timeout=5)
        assert refused.value.code in (404, 405)
