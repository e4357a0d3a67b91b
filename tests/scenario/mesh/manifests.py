"""The YAML that a person would write, as dictionaries, and the folder that the control plane watches."""
import os

import yaml

REMORA = "remora.dev/v1alpha1"
GATEWAY = "gateway.networking.k8s.io/v1"


def _object(version, kind, name, namespace, spec, **metadata):
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace, **metadata},
            "spec": spec}


def service(name, ports, namespace="default", selector=None, cluster_ips=()):
    """ports: {name: (port, target port)} or {name: (port, target port, appProtocol)}."""
    listed = []
    for port_name, (port, target, *protocol) in ports.items():
        entry = {"name": port_name, "port": port, "targetPort": target, "protocol": "TCP"}
        if protocol:
            entry["appProtocol"] = protocol[0]
        listed.append(entry)
    spec = {"selector": selector or {"app": name}, "ports": listed}
    if cluster_ips:
        spec.update(clusterIP=cluster_ips[0], clusterIPs=list(cluster_ips))
    return _object("v1", "Service", name, namespace, spec)


def workload(name, addresses, ports, labels, namespace="default", service_account="default", sidecar=True, **spec):
    """More of the spec by keyword: locality, weight."""
    return _object(REMORA, "Workload", name, namespace,
                   {"addresses": list(addresses), "ports": dict(ports), "serviceAccount": service_account,
                    "sidecar": sidecar, **spec}, labels=dict(labels))


def http_route(name, parent, rules, namespace="default", kind="HTTPRoute"):
    """parent: (service, port). rules: as in the Gateway API."""
    reference = {"group": "", "kind": "Service", "name": parent[0], "port": parent[1]}
    return _object(GATEWAY, kind, name, namespace, {"parentRefs": [reference], "rules": rules})


def backend(name, port, weight=1):
    return {"name": name, "port": port, "weight": weight}


def policy(kind, name, spec, targets=(), namespace="default"):
    """A kind of Remora's own. targets: (kind, name) of what it is attached to."""
    if targets:
        spec = {"targetRefs": [{"kind": target, "name": its_name} for target, its_name in targets], **spec}
    return _object(REMORA, kind, name, namespace, spec)


def mesh_config(**spec):
    return _object(REMORA, "MeshConfig", "mesh", "remora-system", spec)


class Folder:
    """The folder of manifests. Files appear and change whole, as an editor's or kubectl's would."""

    def __init__(self, path):
        self.path = path

    def write(self, file_name, *objects):
        """Objects are dictionaries; a text is written as it is."""
        text = "---\n".join(item if isinstance(item, str) else yaml.safe_dump(item, sort_keys=False)
                            for item in objects)
        final = os.path.join(self.path, f"{file_name}.yaml")
        temporary = os.path.join(self.path, f".{file_name}.new")
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, final)

    def remove(self, file_name):
        os.remove(os.path.join(self.path, f"{file_name}.yaml"))
