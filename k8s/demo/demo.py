"""The demo mesh: pods as network namespaces, real programs in them, a sidecar beside each.

    shopper ──> web      nginx, HTTP/1.1
            ──> api      Python, two versions, split by an HTTPRoute
            ──> greeter  gRPC
            ──> cart     Redis, opaque TCP

The manifests are copied to a folder that remora-control watches; edit them there while it runs.
"""
import argparse
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "scenario"))
os.environ.setdefault("REMORA_BIN", str(ROOT / "build" / "bin"))

from mesh import apps, flags, mesh as meshes, network as networks, wait  # noqa: E402

TRUST_DOMAIN = "demo.local"
NAMESPACE = "shop"
WEB, API, GREETER, CART = "10.96.0.10", "10.96.0.20", "10.96.0.30", "10.96.0.40"


def say(text):
    print(f"\033[1m[demo]\033[0m {text}", flush=True)


class Demo:
    def __init__(self, network):
        self.network = network
        self.mesh = meshes.Mesh(network, trust_domain=TRUST_DOMAIN)
        self.manifests = pathlib.Path(self.mesh.folder.path)
        self.members = {}

    def start_control(self):
        for source in sorted((HERE / "manifests").glob("*.yaml")):
            shutil.copy(source, self.manifests / source.name)
        self.mesh.start("--trust-domain", TRUST_DOMAIN)

    def pod(self, name, address, service_account, version, program=None, ports=None):
        """A pod at the address that its Workload manifest names."""
        pod = self.network.pod(name, int(address.rsplit(".", 1)[1]) - 2)
        assert pod.ip4 == address
        member = meshes.Member(self.mesh, pod, service_account, version, NAMESPACE, service_account, ports or {}, True)
        if program is not None:
            member.app = program(pod)
        member.start_proxy("--trust-domain", TRUST_DOMAIN)
        self.members[name] = member
        return member

    def start_members(self):
        self.pod("web-1", "10.77.0.11", "web", "v1", lambda pod: apps.nginx(pod, 8080))
        self.pod("api-v1-1", "10.77.0.21", "api", "v1", lambda pod: apps.version_service(pod, 8080, "v1"))
        self.pod("api-v2-1", "10.77.0.22", "api", "v2", lambda pod: apps.version_service(pod, 8080, "v2"))
        self.pod("greeter-1", "10.77.0.31", "greeter", "v1", lambda pod: apps.grpc_echo(pod, 9000))
        self.pod("cart-1", "10.77.0.41", "cart", "v1", lambda pod: apps.redis(pod, 6379))
        self.pod("shopper-1", "10.77.0.51", "shopper", "v1")
        for member in self.members.values():
            member.wait_ready(30)

    def start_guest(self):
        """A caller without root and without redirection: its proxy listens where it is told (explicit mode)."""
        pod = self.network.pod("guest-1", 59)
        self.guest = meshes.Member(self.mesh, pod, "guest", "v1", NAMESPACE, "guest", {}, True)
        self.guest.launch_proxy("--trust-domain", TRUST_DOMAIN, "--mode", "explicit", "--hbone", "false",
                                "--outbound", "127.0.0.1:8001=web.shop:80", "--outbound", "127.0.0.1:8002=api.shop:80")
        self.guest.wait_ready(30)

    def start_shopper(self):
        """The customer calls everybody, a few dozen times a second, until the demo ends."""
        pod = self.members["shopper-1"].pod
        script = flags.everybodys(HERE / "shopper.py")
        return pod.start(["/usr/bin/python3", "-B", script, WEB, API, GREETER, CART], "shopper", uid=networks.APP_UID)

    def api_versions(self, count):
        """Which versions answered `count` calls of the API."""
        pod = self.members["shopper-1"].pod
        script = ("import sys, http.client\n"
                  f"c = http.client.HTTPConnection('{API}', 80, timeout=5)\n"
                  "for _ in range(int(sys.argv[1])):\n"
                  "    c.request('GET', '/'); r = c.getresponse(); r.read()\n"
                  "    print(r.status, r.getheader('x-version'))\n")
        done = pod.run(["/usr/bin/python3", "-c", script, str(count)], uid=networks.APP_UID, timeout=60)
        return done.stdout.split("\n")[:-1]

    def share_of_v2(self, count=200):
        answers = self.api_versions(count)
        bad = [answer for answer in answers if not answer.startswith("200 ")]
        assert not bad, f"{len(bad)} of {count} calls failed: {bad[:3]}"
        return sum(answer.endswith("v2") for answer in answers) / count

    def set_weights(self, v1, v2):
        path = self.manifests / "api-route.yaml"
        text = path.read_text(encoding="utf-8")
        text = re.sub(r"(name: api-v1, port: 80, weight: )\d+", rf"\g<1>{v1}", text)
        text = re.sub(r"(name: api-v2, port: 80, weight: )\d+", rf"\g<1>{v2}", text)
        fresh = path.with_name(".api-route.yaml.new")
        fresh.write_text(text, encoding="utf-8")
        fresh.rename(path)

    def remoractl(self, *words, **options):
        argv = [flags.binary("remoractl"), *words, "--state-dir", self.mesh.state_dir]
        return self.mesh.control_pod.run(argv, uid=networks.APP_UID, check=False, **options)

    def live_view(self):
        argv = self.mesh.control_pod._command([flags.binary("remoractl"), "top", "--state-dir", self.mesh.state_dir],
                                              networks.APP_UID, None)
        return subprocess.call(argv)


def check_itself(demo):
    """What a person would look at; each line that fails raises."""
    share = demo.share_of_v2()
    assert 0.02 <= share <= 0.25, f"version 2 got {share:.0%} of the calls, its weight is 10 %"
    say(f"weights 90/10: version 2 got {share:.0%}")
    demo.set_weights(10, 90)
    changed = time.monotonic()
    wait.until(lambda: demo.share_of_v2(20) > 0.5, "an edited weight moves traffic", timeout=5)
    took = time.monotonic() - changed
    share = demo.share_of_v2()
    assert share >= 0.75, f"version 2 got {share:.0%} of the calls, its weight is 90 %"
    say(f"weights 10/90 edited in {demo.manifests}: seen after {took:.1f} s, version 2 got {share:.0%}")
    assert took <= 1.5, f"an edit took {took:.1f} s to move traffic"
    secure = demo.members["api-v2-1"].metrics().total("remora_requests_total", direction="inbound", mtls="true")
    assert secure > 0, "no request reached the API over mutual TLS"
    say("requests reached the API over mutual TLS")
    for port, text in ((8001, "nginx"), (8002, "version")):
        answer = demo.guest.curl(f"http://127.0.0.1:{port}/")
        assert answer.status == 200 and text in answer.text, f"the guest got {answer.status} {answer.text!r}"
    say("a guest in explicit mode, without redirection, reached nginx and the API")
    proxies = demo.remoractl("proxies")
    print(proxies.stdout, end="")
    assert proxies.returncode == 0, f"remoractl proxies: {proxies.stderr}"
    top = wait.until(lambda: table_with_traffic(demo), "remoractl top shows traffic of every service", timeout=20)
    print(top, end="")


def table_with_traffic(demo):
    done = demo.remoractl("top", "--once")
    rows = done.stdout
    return rows if done.returncode == 0 and all(name in rows for name in ("web", "api", "greeter", "cart")) else None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--once", action="store_true")
    words = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    networks.sweep()
    try:
        with networks.Network() as network:
            demo = Demo(network)
            say("starting the control plane")
            demo.start_control()
            say("starting six pods: nginx, Python v1 and v2, gRPC, Redis, a shopper; each with its sidecar")
            demo.start_members()
            demo.start_guest()
            demo.start_shopper()
            say(f"manifests: {demo.manifests} (edit api-route.yaml and watch)")
            if words.once:
                try:
                    check_itself(demo)
                except Exception:
                    for name, lines in network.processes.logs(30):
                        print(f"---- {name}\n{lines}", file=sys.stderr)
                    raise
                say("all checks passed")
                return 0
            return demo.live_view()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
