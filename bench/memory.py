#!/usr/bin/python3
"""How much memory the programs use, against bars: exit status 1 when one is not kept.

    bench/memory.py                  all of it, about a minute
    bench/memory.py --services N     other than 10 000 in the big mesh

What is measured is Pss (smaps_rollup), with nothing else running that shares the program's pages.
"""
import argparse
import os
import subprocess
import sys
import time

from rig import ROOT, bench as benches, certificates, machine, origin, remora, table
from mesh import manifests, wait

KB, MB = 1024, 1024 * 1024
# Idle memory is read when it has stood still so long.
QUIET_S = 3

IDLE_BAR, GROWTH_BAR, CONTROL_BAR = 6 * MB, 3 * MB, 200 * MB
# Not reached yet (bench/README.md): told, but no failure.
CONNECTION_TARGET = 10 * KB


def settled_pss(process, patience=60):
    """Pss when it has not moved by more than 16 KiB for QUIET_S."""
    deadline = time.monotonic() + patience
    last, since = process.pss_bytes(), time.monotonic()
    while time.monotonic() - since < QUIET_S:
        time.sleep(0.25)
        now = process.pss_bytes()
        if abs(now - last) > 16 * KB:
            last, since = now, time.monotonic()
        if time.monotonic() > deadline:
            raise RuntimeError(f"{process.name} does not come to rest")
    return process.pss_bytes()


def many_services(folder, count):
    """Services svc-0 ... with a workload each, at addresses where nobody listens; a file for each thousand."""
    for first in range(0, count, 1000):
        objects = []
        for number in range(first, min(first + 1000, count)):
            name = f"svc-{number}"
            address = f"10.{1 + number // 65536}.{number // 256 % 256}.{number % 256}"
            objects.append(manifests.service(name, {"http": (80, "http", "http")}, remora.NAMESPACE,
                                             cluster_ips=[f"10.9{6 + number // 65536}.{number // 256 % 256}."
                                                          f"{number % 256}"]))
            objects.append(remora.workload(name, address, {"http": 8080}))
        folder.write(f"many-{first // 1000}", *objects)


class Mesh:
    """A control plane, a server's sidecar B for three services, and a caller's sidecar A that reaches all three."""

    def __init__(self, bench, name, services):
        self.bench = bench
        self.origin = origin.start(bench)
        self.inner = benches.free_port()
        self.ports = [benches.free_port() for _ in range(3)]
        pki = bench.path(f"{name}-ca")
        subprocess.run([str(ROOT / "certs" / "make-dev-ca"), "remora.local", pki], check=True, capture_output=True)
        self.pki = pki
        self.control = remora.ControlPlane(bench, name)
        many_services(self.control.folder, services)
        self.control.folder.write("a", remora.workload("web", remora.A_ADDRESS, {}))
        self.control.folder.write("b", *[manifests.service(f"api-{number}", {"http": (80, "http", "http")},
                                                           remora.NAMESPACE, {"app": "api"}) for number in range(3)],
                                  remora.workload("api", remora.B_ADDRESS, {"http": self.inner}))
        self.control.start("--ca-cert", f"{pki}/ca.pem", "--ca-key", f"{pki}/ca.key")

    def start_proxy(self, name, address, *words):
        proxy = remora.Proxy(self.control, name, address)
        proxy.process = self.bench.start(proxy.argv(*words), f"{self.control.name}-{name}", benches.PROXY_CPU)
        wait.until(lambda: proxy.process.is_running() and proxy.is_ready(), f"{name} is ready", 60)
        return proxy

    def start_b(self):
        return self.start_proxy("api", remora.B_ADDRESS, "--inbound",
                                f"{remora.B_ADDRESS}:{self.inner}=127.0.0.1:{self.origin}")

    def start_a(self):
        words = []
        for number, port in enumerate(self.ports):
            words += ["--outbound", f"127.0.0.1:{port}=api-{number}.{remora.NAMESPACE}:80"]
        return self.start_proxy("web", remora.A_ADDRESS, *words)

    def stop(self, *proxies):
        self.bench.stop(*[proxy.process for proxy in proxies], self.control.process)


def measure_caller(bench, name, services):
    """(Pss of A after it has spoken to three services, Pss of the control plane)"""
    mesh = Mesh(bench, name, services)
    b, a = mesh.start_b(), mesh.start_a()
    for port in mesh.ports:
        row = bench.load(port, "--connections", 4, "--requests", 100)
        if row["errors"]:
            raise RuntimeError(f"requests failed: {row}")
    found = settled_pss(a.process), settled_pss(mesh.control.process)
    mesh.stop(a, b)
    return found


def hold(mesh, folder, count):
    """Opens `count` connections to B and gives the process that keeps them."""
    started = subprocess.Popen([sys.executable, str(ROOT / "bench" / "rig" / "holder.py"), str(mesh.inner), str(count),
                                remora.B_ADDRESS, f"{folder}/chain.pem", f"{folder}/caller.key",
                                f"{mesh.pki}/root.pem"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if started.stdout.readline() != "open\n":
        started.wait()
        raise RuntimeError("the connections could not be opened")
    return started


def let_go(holder):
    holder.stdin.close()
    holder.wait()


def measure_server(bench, connections):
    """(Pss of an idle sidecar, bytes per idle mutual-TLS HTTP/2 connection of a server)"""
    mesh = Mesh(bench, "small", 10)
    b = mesh.start_b()
    idle = settled_pss(b.process)
    folder = bench.make_folder("caller")
    certificates.leaf(folder, f"{mesh.pki}/ca.pem", f"{mesh.pki}/ca.key", "caller",
                      f"URI:spiffe://remora.local/ns/{remora.NAMESPACE}/sa/web")
    with open(f"{folder}/chain.pem", "w", encoding="ascii") as chain:
        for part in (f"{folder}/caller.pem", f"{mesh.pki}/ca.pem"):
            with open(part, encoding="ascii") as file:
                chain.write(file.read())
    first = hold(mesh, folder, 10)
    warm = settled_pss(b.process)
    more = hold(mesh, folder, connections)
    held = settled_pss(b.process)
    for holder in (first, more):
        let_go(holder)
    mesh.stop(b)
    return idle, (held - warm) / connections


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--services", type=int, default=10000)
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--keep", action="store_true", help="keep logs and configurations")
    options = parser.parse_args()
    os.environ.setdefault("REMORA_BIN", str(ROOT / "build" / "bin"))
    with benches.Bench(options.keep) as bench:
        idle, connection = measure_server(bench, options.connections)
        few, _ = measure_caller(bench, "few", 10)
        many, control = measure_caller(bench, "many", options.services)
    rows = [
        ("idle proxy", idle / MB, "MB", IDLE_BAR / MB),
        (f"proxy that talks to 3 services, {options.services} in the mesh instead of 10: growth",
         (many - few) / MB, "MB", GROWTH_BAR / MB),
        (f"control plane with {options.services} services", control / MB, "MB", CONTROL_BAR / MB),
    ]
    print(f"Machine: {machine.describe()}.\n")
    lines = [[what, value, bar, unit, "ok" if value <= bar else "NOT ok"] for what, value, unit, bar in rows]
    lines.append(["idle mutual-TLS HTTP/2 connection, server side", connection / KB, CONNECTION_TARGET / KB, "KB",
                  "target reached" if connection <= CONNECTION_TARGET else "target missed"])
    print(table.text(["Pss", "measured", "bar", "", ""], lines))
    sys.exit(0 if all(value <= bar for _, value, _, bar in rows) else 1)


if __name__ == "__main__":
    main()
