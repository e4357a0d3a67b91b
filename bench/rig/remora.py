"""A control plane, a sidecar A of the caller and a sidecar B of the callee, in explicit mode on loopback."""
import os
import shutil
import subprocess
import urllib.request

from mesh import flags, manifests, metrics, wait

from . import peers
from .bench import CLIENT_CPU, free_port

NAMESPACE = "bench"
# Of 127.0.0.0/8, so that each member has an address of its own and nobody needs to be root.
A_ADDRESS, B_ADDRESS = "127.0.0.11", "127.0.0.12"


def http_get(port, path, timeout=2):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=timeout) as answer:
        return answer.read().decode()


class ControlPlane:
    """remora-control with a folder of manifests of its own."""

    def __init__(self, bench, name="control"):
        self.bench = bench
        self.port = free_port()
        self.metrics_port = free_port()
        self.state = bench.make_folder(f"{name}-state")
        os.chmod(self.state, 0o700)
        self.folder = manifests.Folder(bench.make_folder(f"{name}-manifests"))
        self.name = name

    def start(self, *words):
        argv = flags.control(self.folder.path, self.state, "--listen", f"127.0.0.1:{self.port}", "--metrics",
                             f"127.0.0.1:{self.metrics_port}", *words)
        self.process = self.bench.start(argv, self.name, CLIENT_CPU)
        self.bench.wait_port(self.process, self.port)
        wait.until(lambda: os.path.exists(flags.control_roots(self.state)), "the control plane's root certificate")
        return self

    def token(self, service_account):
        argv = flags.token(self.state, NAMESPACE, service_account)
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


class Proxy:
    """One remora-proxy in explicit mode."""

    def __init__(self, control, name, address):
        self.control = control
        self.bench = control.bench
        self.name = name
        self.address = address
        self.admin_port, self.metrics_port, self.health_port = free_port(), free_port(), free_port()

    def argv(self, *words):
        folder = self.bench.make_folder(f"{self.control.name}-{self.name}")
        token_file = os.path.join(folder, "token")
        with open(token_file, "w", encoding="ascii") as file:
            file.write(self.control.token(self.name))
        os.chmod(token_file, 0o600)
        return [flags.binary("remora-proxy"), "--mode", "explicit",
                "--control", f"127.0.0.1:{self.control.port}", "--control-ca", flags.control_roots(self.control.state),
                "--token-file", token_file, "--namespace", NAMESPACE, "--service-account", self.name,
                "--workload", self.name, "--pod-address", self.address, "--state-dir", folder,
                "--admin", f"127.0.0.1:{self.admin_port}", "--metrics", f"127.0.0.1:{self.metrics_port}",
                "--health", f"127.0.0.1:{self.health_port}", "--hbone", "false", *words]

    def is_ready(self):
        http_get(self.health_port, flags.READY_PATH)
        return True

    def metrics(self):
        return metrics.Metrics(http_get(self.metrics_port, flags.METRICS_PATH))


def workload(name, address, ports):
    return manifests.workload(name, [address], ports, {"app": name}, NAMESPACE, name)


class Remora(peers.Peer):
    name = "remora"

    def begin(self, origin):
        inner, self.port = free_port(), free_port()
        control = ControlPlane(self.bench, f"control{inner}")
        control.folder.write("a", workload("web", A_ADDRESS, {}))
        control.folder.write("b", manifests.service("api", {"http": (80, "http", "http")}, NAMESPACE),
                             workload("api", B_ADDRESS, {"http": inner}))
        control.start()
        self.control = control
        self.b = Proxy(control, "api", B_ADDRESS)
        self.a = Proxy(control, "web", A_ADDRESS)
        self.run_proxy("B", self.b, "--inbound", f"{B_ADDRESS}:{inner}=127.0.0.1:{origin}")
        self.run_proxy("A", self.a, "--outbound", f"127.0.0.1:{self.port}=api.{NAMESPACE}:80")

    def run_proxy(self, part, proxy, *words):
        started = self.run(part, proxy.argv(*words), proxy.health_port)
        wait.until(lambda: started.is_running() and proxy.is_ready(), f"{started.name} is ready", self.patience)

    def allocations(self):
        return {part: proxy.metrics().total("remora_allocations_total") for part, proxy in (("A", self.a),
                                                                                           ("B", self.b))}

    def stop(self):
        super().stop()
        self.bench.stop(self.control.process)
        shutil.rmtree(self.control.state, ignore_errors=True)
