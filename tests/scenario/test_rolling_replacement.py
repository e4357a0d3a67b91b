"""Endpoints are replaced one after another, a hundred times, and no request fails."""
import threading

from mesh import apps, flags, manifests, metrics, wait
from mesh.load import Load

REPLACEMENTS = 100
PODS = 3


class Slot:
    """A pod whose application is replaced by one on another port: the old one leaves by its manifest only."""

    def __init__(self, mesh, number):
        self.mesh = mesh
        self.number = number
        self.generation = 0
        self.member = mesh.member(f"api-{number}", app="api", version=f"n{number}-0", program=apps.version_service)
        self.app = self.member.app

    def _file(self, generation):
        return f"workload-default-api-{self.number}" + (f"-{generation}" if generation else "")

    def _manifest(self, app, generation, **spec):
        pod = self.member.pod
        name = f"api-{self.number}" + (f"-{generation}" if generation else "")
        return manifests.workload(name, [pod.ip4, pod.ip6], {"http": app.port}, {"app": "api"}, "default", "api", **spec)

    def replace(self, client, service_cluster):
        """The new one is announced before the old one is taken out, as a rolling update does."""
        old, old_generation = self.app, self.generation
        self.generation += 1
        port = 8080 + self.generation % 50
        self.app = apps.version_service(self.member.pod, port, f"n{self.number}-{self.generation}")
        self.mesh.folder.write(self._file(self.generation), self._manifest(self.app, self.generation))
        self.mesh.folder.remove(self._file(old_generation))
        gone = f"{self.member.pod.ip4}:{old.port}"
        here = f"{self.member.pod.ip4}:{self.app.port}"
        wait.until(lambda: sees(client, here) and not drawn(client, gone), f"{here} instead of {gone}", every=0.01)
        self.stop(client, old, gone)

    def stop(self, client, old, gone):
        """As a well-behaved program ends: when nobody is being served any more."""
        old.stop()


def rotation(member):
    return member.admin("/clusters")[1]


def sees(member, address):
    return f'"{address}"' in rotation(member)


def drawn(member, address):
    return sees(member, address)
