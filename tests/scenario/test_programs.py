"""The programs that other tests put into a mesh work without one: what fails here is not the mesh's doing."""
import os
import signal
import subprocess
import sys
import time

import pytest
import yaml

from mesh import apps, clients, manifests, metrics, network as networks, wait
from mesh.capture import Capture


@pytest.fixture
def pair(network):
    return network.pod("client"), network.pod("server")


@pytest.mark.parametrize("family", [4, 6], ids=["IPv4", "IPv6"])
def test_http1_service_in_python(pair, family):
    client, server = pair
    apps.version_service(server, 8080, "v2", "api")
    host = server.ip4 if family == 4 else f"[{server.ip6}]"
    response = clients.curl(client, f"http://{host}:8080/hello?x=1", headers=[("X-Test", "yes")])
    told = response.json()
    assert (response.status, response.http, response.version) == (200, "1.1", "v2")
    assert (told["name"], told["path"], told["client"]) == ("api", "/hello?x=1", client.address(family))
    assert ["X-Test", "yes"] in told["headers"]


def test_http1_service_answers_as_asked(pair):
    client, server = pair
    apps.version_service(server)
    url = f"http://{server.ip4}:8080"
    assert clients.curl(client, f"{url}/status/503").status == 503
    assert len(clients.curl(client, f"{url}/bytes/100000").body) == 100000
    assert clients.curl(client, f"{url}/echo", "-d", "ping").text == "ping"
    assert clients.curl(client, f"{url}/echo", "-d", "ping", headers=[("transfer-encoding", "chunked")]).text == "ping"
    assert clients.curl(client, f"{url}/echo", "-d", "p" * 2000, headers=[("expect", "100-continue")]).text == "p" * 2000
    assert clients.curl(client, f"{url}/stream/3/1").text == "piece 0\npiece 1\npiece 2\n"
    assert clients.curl(client, f"{url}/trailers").text == "body\n"
    assert clients.curl(client, f"{url}/delay/50").seconds >= 0.05
    assert clients.curl(client, url, "-I").status == 200
    with pytest.raises(clients.CurlFailed) as failure:
        clients.curl(client, f"{url}/reset")
    assert failure.value.code in (52, 56)
    assert int(clients.curl(client, f"{url}/count").text) == 11


def test_nobody_there_is_told(pair):
    client, server = pair
    with pytest.raises(clients.CurlFailed) as failure:
        clients.curl(client, f"http://{server.ip4}:8080/")
    assert failure.value.code == 7


def test_nginx_http1_under_load(pair):
    client, server = pair
    apps.nginx(server, 8080, "v3")
    response = clients.curl(client, f"http://{server.ip4}:8080/")
    assert (response.status, response.text, response.version) == (200, "nginx v3\n", "v3")
    load = clients.h2load(client, f"http://{server.ip4}:8080/", requests=500, clients=4, http1=True)
    assert (load.succeeded, load.failed, load.errored) == (500, 0, 0) and load.statuses["2xx"] == 500


def test_nginx_http2(pair):
    client, server = pair
    apps.nginx(server, 8081, "v3", http2=True)
    assert clients.nghttp(client, f"http://{server.ip4}:8081/") == (200, "nginx v3\n")
    response = clients.curl(client, f"http://{server.ip4}:8081/", "--http2-prior-knowledge")
    assert (response.http, response.version) == ("2", "v3")
    load = clients.h2load(client, f"http://{server.ip4}:8081/", requests=500, clients=2, streams=10)
    assert load.succeeded == 500


def test_grpc(pair):
    client, server = pair
    apps.grpc_echo(server, 9000, "v4")
    target = f"ipv4:{server.ip4}:9000"
    reply = clients.grpc_call(client, target, "hello", metadata=[("x-echo", "trail")])
    assert (reply.code, reply.replies, reply.initial["x-version"]) == (0, ["hello"], "v4")
    assert reply.trailing["x-echo"] == "trail"
    assert clients.grpc_call(client, target, "a", method="ServerStream", metadata=[("x-repeat", "2")]).replies == ["a", "a"]
    assert clients.grpc_call(client, target, "a", "b", method="ClientStream").replies == ["a|b"]
    assert clients.grpc_call(client, target, "a", "b", method="Bidi").replies == ["a", "b"]
    failed = clients.grpc_call(client, target, "a", metadata=[("x-fail", "5")])
    assert (failed.code, failed.details, failed.replies) == (5, "as asked", [])
    late = clients.grpc_call(client, target, "a", metadata=[("x-delay-ms", "5000")], deadline=0.2)
    assert late.code == 4


def test_websocket(pair):
    client, server = pair
    apps.websocket_echo(server)
    assert clients.websocket_call(client, f"ws://{server.ip4}:8090/", "one", "two") == ["one", "two"]


def test_redis(pair):
    client, server = pair
    apps.redis(server)
    assert clients.redis_cli(client, server.ip4, "set", "key", "value") == "OK"
    assert clients.redis_cli(client, server.ip6, "get", "key") == "value"


def test_mariadb_speaks_first(pair):
    client, server = pair
    apps.mariadb(server)
    assert clients.mysql(client, server.ip4, "select 6 * 7") == "42"
    assert "MariaDB" in client.dial(server.ip4, 3306, timeout=2).reply


def test_capture_sees_plaintext(pair):
    client, server = pair
    apps.version_service(server)
    with Capture(client.network.node, "br0") as capture:
        clients.curl(client, f"http://{server.ip4}:8080/a-marked-path")
        capture.wait_for(b"GET /a-marked-path HTTP/1.1")
        assert not capture.contains(b"another-path") and capture.count() > 5


def test_metrics_are_read():
    read = metrics.Metrics('# HELP a b\n# TYPE a counter\na{x="1",y="q\\"uo,te"} 2\na{x="2"} 3.5\nb 1e3\nb_sum{} +Inf\n')
    assert read.total("a") == 5.5 and read.total("a", x="2") == 3.5 and read.total("c") == 0
    assert read.find("a", x="1") == [({"x": "1", "y": 'q\\"uo,te'}, 2.0)]
    assert read.total("b") == 1000
    with pytest.raises(AssertionError):
        metrics.Metrics("not a metric\n")


def test_manifests_appear_whole(tmp_path):
    folder = manifests.Folder(str(tmp_path))
    folder.write("api", manifests.service("api", {"http": (80, "http", "http")}, cluster_ips=["10.96.0.10"]),
                 manifests.workload("api-1", ["10.77.0.2"], {"http": 8080}, {"app": "api"}, weight=2))
    assert os.listdir(tmp_path) == ["api.yaml"]
    service, workload = yaml.safe_load_all((tmp_path / "api.yaml").read_text())
    assert service["spec"]["ports"] == [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP",
                                         "appProtocol": "http"}]
    assert workload["spec"]["weight"] == 2 and workload["metadata"]["labels"] == {"app": "api"}
    folder.write("api", "not: [yaml")
    assert (tmp_path / "api.yaml").read_text() == "not: [yaml"
    folder.remove("api")
    assert os.listdir(tmp_path) == []


# The machinery itself.

def test_a_network_leaves_nothing(network):
    with networks.Network() as other:
        pod = other.pod("short-lived")
        process = pod.start(["sleep", "1000"])
        folder, names = other.folder, [pod.name, other.node.name]
        assert all(name in os.listdir(networks.NETNS) for name in names) and process.is_running()
    assert not any(name in os.listdir(networks.NETNS) for name in names)
    assert not process.is_running() and not os.path.exists(folder)


def has_ended(pid):
    """Gone, or dead and not yet reaped by whoever inherited it."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_killed_run_leaves_no_process_and_is_swept():
    """A test run that is killed cannot clean up: its programs die with it, the next run sweeps the rest."""
    script = ("import sys, time; sys.path.insert(0, sys.argv[1])\n"
              "from mesh import wait\n"
              "from mesh.network import Network\n"
              "network = Network(); pod = network.pod('p')\n"
              "process = pod.start(['sleep', '1000'], uid=1500)\n"
              "wait.until(lambda: open(f'/proc/{process.pid}/comm').read() == 'sleep\\n', 'the program')\n"
              "print(pod.name, process.pid, network.folder, flush=True); time.sleep(1000)\n")
    here = os.path.dirname(os.path.abspath(__file__))
    with subprocess.Popen([sys.executable, "-B", "-c", script, here], stdout=subprocess.PIPE, text=True) as run:
        name, pid, folder = run.stdout.readline().split()
        networks.sweep()
        assert name in os.listdir(networks.NETNS), "a living run's namespace was swept"
        run.send_signal(signal.SIGKILL)
        run.wait()
    wait.until(lambda: has_ended(pid), "the end of the program")
    assert name in os.listdir(networks.NETNS)
    networks.sweep()
    assert name not in os.listdir(networks.NETNS) and not os.path.exists(folder)


def test_waiting_ends_in_words():
    started = time.monotonic()
    with pytest.raises(wait.WaitedInVain, match="the impossible: not within 0.1 s; it last failed with KeyError"):
        wait.until(lambda: {}["nothing"], "the impossible", timeout=0.1)
    assert time.monotonic() - started < 2
    assert wait.until(lambda: "value", "a value") == "value"


def test_a_program_that_dies_early_is_told_at_once(network):
    process = network.pod("p").start(["sh", "-c", "echo broken; exit 3"], "dying")
    with pytest.raises(RuntimeError, match="ended with 3:\nbroken"):
        process.wait_log("^listening$")


def test_users_are_what_was_asked_for(network):
    pod = network.pod("p")
    assert pod.run(["id", "-u"], uid=1500).stdout.strip() == "1500"
    assert pod.run(["id", "-g"], uid=1500, gid=1600).stdout.strip() == "1600"
    assert pod.run(["id", "-G"], uid=1500).stdout.strip() == "1500"


def test_pods_come_and_go(network):
    first = network.pod("first")
    second = network.pod("second")
    apps.version_service(second)
    assert clients.curl(first, f"http://{second.ip4}:8080/").status == 200
    network.delete_pod(second)
    assert not first.dial(second.ip4, 8080, timeout=0.3).ok
    third = network.pod("second")
    assert third.ip4 != second.ip4
