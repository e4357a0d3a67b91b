"""More idle connections than there is room for: refused and counted, calm, and gone without a trace."""
import os
import re
import resource
import signal
import time

import pytest

from mesh import apps, clients, flags, network as networks, wait

CLIENTS = 20000
HOLDERS = 2
# What the proxy keeps for itself, how many descriptors a downstream connection may need, and what no connection gets
# (proxy/main/process.c).
SPARE, EACH, RESERVED = 64, 2, 32
FEW = 100


class Holder:
    """Beside the proxy, an application with many connections."""

    def __init__(self, pod, service, count, kind="http"):
        self.count = count
        script = os.path.join(flags.APPS, "idle_connections.py")
        self.process = pod.start([*clients.PYTHON, script, service.ip4, service.port, count, kind], "holder",
                                 uid=networks.APP_UID)

    def wait_held(self, timeout=60):
        return int(self.process.wait_log(r"^held (\d+) of", timeout).group(1))

    def ask_again(self, timeout=60):
        """How many still answer."""
        said = len(re.findall(r"^answered", self.process.log(), re.MULTILINE))
        self.process.signal(signal.SIGUSR1)
        return int(wait.until(lambda: re.findall(r"^answered (\d+)", self.process.log(), re.MULTILINE)[said],
                              "all were asked again", timeout))

    def leave(self):
        self.process.stop()


def live(member, side="outbound"):
    return member.metrics().total("remora_connections", side=side)


def cpu_share(process, seconds):
    """Of one processor, over so many seconds in which nothing happens."""
    before, began = process.cpu_seconds(), time.monotonic()
    time.sleep(seconds)
    return (process.cpu_seconds() - before) / (time.monotonic() - began)


def nginx(pod):
    return apps.nginx(pod, lines="keepalive_timeout 3600;")


def test_idle_connections_beyond_the_limit_are_refused_and_the_proxy_stays_calm(mesh):
    api = mesh.service("api")
    client = mesh.member("client", proxy_words=["--max-connections", str(CLIENTS)])
    mesh.member("api-1", app="api", program=nginx)
    mesh.wait_ready()
    client.wait_known(api)
    wait.until(lambda: client.curl(api.url()).status == 200, "a first answer")
    wait.until(lambda: live(client) == 0, "nobody is connected")
    proxy = client.proxy
    room = min(CLIENTS, (resource.getrlimit(resource.RLIMIT_NOFILE)[1] - SPARE) // EACH)
    # More than there is room for, whatever the machine allows.
    attempted = max(CLIENTS, room + HOLDERS)
    before, descriptors = proxy.pss_bytes(), proxy.descriptors()
    holders = [Holder(client.pod, api, attempted // HOLDERS) for _ in range(HOLDERS)]
    held = sum(holder.wait_held() for holder in holders)
    assert held == room
    refused = client.wait_metric(attempted - held, "remora_connections_refused_total", direction="outbound",
                                 reason="overflow_downstream")
    assert refused == attempted - held
    wait.until(lambda: live(client) == held, "all that are held are counted")
    with pytest.raises(clients.CurlFailed) as failure:
        client.curl(api.url())
    assert failure.value.code in (7, 52, 56), failure.value
    each = (proxy.pss_bytes() - before) / held
    calm = cpu_share(proxy, 3)
    print(f"\n{held} idle connections, {refused:.0f} refused: {each:.0f} bytes of memory and "
          f"{calm * 1e6 / held:.1f} us of processor each second a connection")
    assert calm < 0.1
    assert each < 8192
    assert sum(holder.ask_again() for holder in holders) == held
    for holder in holders:
        holder.leave()
    wait.until(lambda: live(client) == 0, "all have left", timeout=30)
    assert client.curl(api.url()).status == 200
    wait.until(lambda: proxy.descriptors() <= descriptors + 4, "the descriptors are back")
    wait.until(lambda: proxy.pss_bytes() < before + each * held / 2, "memory goes back to the system", timeout=30)


def test_descriptors_that_run_out_are_told_and_the_proxy_stays_calm(mesh):
    """Each tunnel that comes out of one connection needs a descriptor towards the application. The last ones are not
    for connections: the proxy still answers probes and scrapes."""
    store = mesh.service("store", {"redis": (6379, "redis", "redis")})
    client = mesh.member("client")
    server = mesh.member("store-1", app="store", program=apps.redis, ports={"redis": 6379},
                         proxy_prefix=["prlimit", f"--nofile={FEW}:{FEW}"])
    mesh.wait_ready()
    client.wait_known(store)
    wait.until(lambda: clients.redis_cli(client.pod, store.ip4, "ping") == "PONG", "a first answer")
    idle = server.proxy.descriptors()
    holder = Holder(client.pod, store, 4 * FEW, "redis")
    held = holder.wait_held()
    assert held >= FEW - RESERVED - idle - 4
    assert server.proxy.descriptors() <= FEW - RESERVED + 4
    server.wait_metric(1, "remora_tcp_connections_closed_total", direction="inbound", reason="overload")

    def refused():
        ended = client.metrics().find("remora_tcp_connections_closed_total", direction="outbound")
        return sum(count for labels, count in ended if labels["reason"] != "none")
    wait.until(lambda: refused() == 4 * FEW - held, "each that was refused is counted")
    assert server.is_ready() and server.admin("/live")[0] == 200
    assert cpu_share(server.proxy, 2) < 0.1
    assert holder.ask_again() == held
    holder.leave()
    wait.until(lambda: server.proxy.descriptors() <= idle + 4, "the descriptors are back")
    wait.until(lambda: clients.redis_cli(client.pod, store.ip4, "ping") == "PONG", "answers again")
