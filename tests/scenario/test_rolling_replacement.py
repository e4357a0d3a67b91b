"""Endpoints are replaced one after another, a hundred times, and no request fails."""
import json
import os
import threading

from mesh import apps, flags, manifests, wait
from mesh.load import Load
from mesh.network import APP_UID

REPLACEMENTS = 100
PODS = 3


def endpoints(member):
    """{address: state} of all that the member's proxy knows, those included that are being left."""
    status, text = member.admin("/clusters")
    assert status == 200
    found = {}

    def walk(value):
        if isinstance(value, dict):
            if "address" in value and "state" in value:
                found[value["address"]] = value
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)
    walk(json.loads(text))
    return found


class Slot:
    """A pod whose application is replaced by one on another port."""

    def __init__(self, mesh, number):
        self.mesh = mesh
        self.number = number
        self.generation = 0
        self.member = mesh.member(f"api-{number}", app="api")
        self.port, self.process = self._start()
        self._announce(0)

    def _start(self):
        """A small server, which is there sooner than a large one, and is gone at once when it is told to."""
        port = 8080 + self.generation % 20
        script = os.path.join(flags.APPS, "faulty_service.py")
        process = self.member.pod.start(["/usr/bin/python3", "-B", script, port, f"{self.number}-{self.generation}"],
                                        "server", uid=APP_UID)
        process.wait_log("^listening$")
        return port, process

    def _file(self, generation):
        return f"replaced-{self.number}-{generation}"

    def _announce(self, generation):
        pod = self.member.pod
        self.mesh.folder.write(self._file(generation), manifests.workload(
            f"replaced-{self.number}-{generation}", [pod.ip4, pod.ip6], {"http": self.port}, {"app": "replaced"},
            "default", "api"))

    def address(self, port):
        return f"{self.member.pod.ip4}:{port}"

    def replace(self, client):
        """As a rolling update does: the new one is there before the old one leaves; that one ends when it is idle."""
        old_port, old_process, old_generation = self.port, self.process, self.generation
        self.generation += 1
        self.port, self.process = self._start()
        self._announce(self.generation)
        if old_generation % 2:
            # Some are let run empty first, the others are taken out at once.
            self.mesh.folder.write(self._file(old_generation), manifests.workload(
                f"replaced-{self.number}-{old_generation}", [self.member.pod.ip4, self.member.pod.ip6],
                {"http": old_port}, {"app": "replaced"}, "default", "api", weight=0))
        else:
            self.mesh.folder.remove(self._file(old_generation))
        wait.until(lambda: self._is_done(client, old_port), f"{self.address(self.port)} for {self.address(old_port)}",
                   every=0.01)
        old_process.kill()
        if old_generation % 2:
            self.mesh.folder.remove(self._file(old_generation))

    def _is_done(self, client, old_port):
        known = endpoints(client)
        old = known.get(self.address(old_port), {"candidate": False, "active": 0})
        return self.address(self.port) in known and not old["candidate"] and old["active"] == 0


def test_hundred_replacements_under_load_fail_no_request(mesh):
    api = mesh.service("api", selector={"app": "replaced"})
    client = mesh.member("client")
    slots = [Slot(mesh, number) for number in range(PODS)]
    mesh.wait_ready()
    wait.until(lambda: client.curl(api.url()).status == 200, "a first answer")
    with Load(client.pod, api.ip4, 80, clients=6, pause=0.005) as load:
        for number in range(REPLACEMENTS):
            slots[number % PODS].replace(client)
            assert not load.failures, (number, load.failures[:3])
        load.wait_more(50)
    load.assert_clean(at_least=1000)
    # They did move: many generations have answered.
    assert len(load.versions) > 20, load.versions


def test_requests_in_flight_on_a_removed_endpoint_finish(mesh):
    api = mesh.service("api")
    client = mesh.member("client")
    leaving = mesh.member("api-0", app="api", version="old", program=apps.version_service)
    mesh.wait_ready()
    wait.until(lambda: client.curl(api.url()).status == 200, "a first answer")
    responses = []
    threads = [threading.Thread(target=lambda path=path: responses.append(client.curl(api.url(path))))
               for path in ("/delay/4000", "/stream/40/100")]
    for thread in threads:
        thread.start()
    wait.until(lambda: client.metrics().total("remora_requests_in_flight") == 2, "two requests in flight")
    staying = mesh.member("api-1", app="api", version="new", program=apps.version_service)
    staying.wait_ready()
    mesh.folder.remove("workload-default-api-0")
    wait.until(lambda: not endpoints(client).get(f"{leaving.pod.ip4}:8080", {"candidate": False})["candidate"],
               "the old one out of rotation")
    assert not responses, "they ended too early to show anything"
    assert {client.curl(api.url()).version for _ in range(20)} == {"new"}
    for thread in threads:
        thread.join()
    assert [response.status for response in responses] == [200, 200]
    assert {response.version for response in responses} == {"old"}
    assert sum(response.text.count("piece") for response in responses) == 40
