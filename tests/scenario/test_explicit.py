"""Sidecars without redirection and without root: every program belongs to one ordinary user of one machine."""
import json
import os
import types

import pytest

from mesh import apps, clients, flags, manifests, metrics, wait
from mesh.capture import Capture
from mesh.network import APP_UID

CLIENT, SERVER, BESIDE = "127.0.0.1", "127.0.0.2", "127.0.0.3"
LOCAL_HTTP, LOCAL_REDIS, LOCAL_BESIDE = 18080, 16379, 18081


def launch(mesh, name, address, account, *words):
    """A proxy that only listens where it is told."""
    machine = mesh.control_pod
    member = types.SimpleNamespace(namespace="default", service_account=account, name=name, version=None,
                                   pod=types.SimpleNamespace(ip4=address))
    folder = mesh.network.make_folder(f"{name}-proxy", APP_UID)
    token_file = os.path.join(folder, "token")
    with open(token_file, "w", encoding="ascii") as file:
        file.write(mesh.issue_token("default", account))
    os.chown(token_file, APP_UID, APP_UID)
    os.chmod(token_file, 0o600)
    argv = flags.proxy(member, mesh.control_address, mesh.roots_file, token_file, folder, "--mode", "explicit",
                       "--admin", f"{address}:15000", "--metrics", f"{address}:15020", "--health", f"{address}:15021",
                       *words)
    proxy = machine.start(argv, f"{name}-proxy", uid=APP_UID)
    wait.until(lambda: proxy.is_running() and
               metrics.get(machine, flags.HEALTH_PORT, flags.READY_PATH, host=address)[0] == 200, f"{name} is ready")
    return proxy


@pytest.fixture(scope="module")
def machine(shared_mesh):
    mesh = shared_mesh
    pod = mesh.control_pod
    apps.version_service(pod, 9080, "v1")
    apps.redis(pod, 6390)
    mesh.folder.write("api", manifests.service("api", {"http": (80, "http"), "redis": (6379, "redis")}),
                      manifests.workload("api-1", [SERVER], {"http": 8080, "redis": 6380}, {"app": "api"},
                                         service_account="api"),
                      manifests.workload("client", [CLIENT], {}, {"app": "client"}, service_account="client"))
    launch(mesh, "api-1", SERVER, "api", "--inbound", f"{SERVER}:8080=127.0.0.1:9080", "--inbound",
           f"{SERVER}:6380=127.0.0.1:6390", "--hbone-listen", f"{SERVER}:15008")
    beside = manifests.workload("beside-1", [BESIDE], {"http": 9080}, {"app": "beside"}, service_account="beside")
    beside["metadata"]["annotations"] = {"remora.dev/inbound-port": "9080:15006"}
    mesh.folder.write("beside", manifests.service("beside", {"http": (80, "http")}), beside)
    launch(mesh, "beside-1", BESIDE, "beside", "--inbound", f"{BESIDE}:15006=127.0.0.1:9080", "--hbone", "false")
    client = launch(mesh, "client", CLIENT, "client", "--outbound", f"{CLIENT}:{LOCAL_HTTP}=api.default:80",
                    "--outbound", f"{CLIENT}:{LOCAL_REDIS}=api.default:6379", "--outbound",
                    f"{CLIENT}:{LOCAL_BESIDE}=beside.default:80", "--hbone", "false")
    url = f"http://{CLIENT}:{LOCAL_HTTP}"
    # A proxy may be ready before manifests that were written just now. These were the last.
    wait.until(lambda: clients.curl(pod, f"http://{CLIENT}:{LOCAL_BESIDE}").status == 200, "a first answer")
    return types.SimpleNamespace(mesh=mesh, pod=pod, url=url, client=client)


def test_a_request_passes_with_mutual_tls(machine):
    with Capture(machine.pod, "lo", f"host {SERVER}") as capture:
        response = clients.curl(machine.pod, f"{machine.url}/explicit-marker", "-d", "x")
    assert (response.status, response.version, response.json()["path"]) == (200, "v1", "/explicit-marker")
    told = {name.lower(): value for name, value in response.json()["headers"]}
    assert f"spiffe://{machine.mesh.trust_domain}/ns/default/sa/client" in told["x-forwarded-client-cert"]
    assert capture.count() > 5 and not capture.contains(b"explicit-marker")


def test_tcp_passes_through_a_tunnel(machine):
    with Capture(machine.pod, "lo", f"host {SERVER}") as capture:
        assert clients.redis_cli(machine.pod, CLIENT, "set", "explicit-key", "v", port=LOCAL_REDIS) == "OK"
        assert clients.redis_cli(machine.pod, CLIENT, "get", "explicit-key", port=LOCAL_REDIS) == "v"
    assert capture.count() > 5 and not capture.contains(b"explicit-key")


def test_the_inbound_side_takes_only_mutual_tls(machine):
    dialled = machine.pod.dial(SERVER, 8080, send=b"GET / HTTP/1.1\r\nhost: api\r\n\r\n")
    assert dialled.ok and dialled.reply == ""
    scraped = metrics.get(machine.pod, flags.METRICS_PORT, flags.METRICS_PATH, host=SERVER)[1]
    assert metrics.Metrics(scraped).total("remora_connections_refused_total", reason="plaintext_refused") >= 1


def test_traffic_is_told_by_the_service_that_callers_know(machine):
    """Manifests speak of the port where the sidecar listens; the application behind it has another."""
    clients.curl(machine.pod, machine.url)
    scraped = metrics.Metrics(metrics.get(machine.pod, flags.METRICS_PORT, flags.METRICS_PATH, host=SERVER)[1])
    assert scraped.total("remora_requests_total", direction="inbound", destination_service="api") >= 1
    assert scraped.total("remora_requests_total", direction="inbound", destination_service="unknown") == 0

    def both_report():
        clients.curl(machine.pod, machine.url)
        argv = [flags.binary("remoractl"), "top", "-o", "json", "--state-dir", machine.mesh.state_dir]
        rows = {row["service"] for row in json.loads(machine.pod.run(argv, uid=APP_UID).stdout)["services"]}
        assert not [row for row in rows if "unknown" in row], rows
        return "default/api" in rows
    wait.until(both_report, "the service in remoractl top")


def test_manifests_may_know_the_application_and_say_where_its_proxy_is(machine):
    assert clients.curl(machine.pod, f"http://{CLIENT}:{LOCAL_BESIDE}").version == "v1"
    scraped = metrics.Metrics(metrics.get(machine.pod, flags.METRICS_PORT, flags.METRICS_PATH, host=BESIDE)[1])
    assert scraped.total("remora_requests_total", direction="inbound", destination_service="beside") >= 1
    assert scraped.total("remora_requests_total", direction="inbound", destination_service="unknown") == 0


def test_the_policy_of_a_port_is_that_of_the_port_that_callers_know(machine):
    machine.mesh.folder.write("policy", manifests.policy(
        "TransportPolicy", "api", {"mode": "Strict", "ports": {"8080": {"mode": "Permissive"}}}, [("Service", "api")]))
    try:
        wait.until(lambda: "200 OK" in machine.pod.dial(
            SERVER, 8080, send=b"GET / HTTP/1.1\r\nhost: api\r\nconnection: close\r\n\r\n").reply,
            "plain text is let in")
    finally:
        machine.mesh.folder.remove("policy")


def test_nothing_of_it_runs_as_root(machine):
    with open(f"/proc/{machine.client.pid}/status", encoding="ascii") as file:
        uids = [line for line in file if line.startswith(("Uid:", "CapEff:"))]
    assert uids[0].split()[1:] == [str(APP_UID)] * 4 and int(uids[1].split()[1], 16) == 0
    assert not machine.pod.run(["nft", "list", "ruleset"]).stdout.strip()
