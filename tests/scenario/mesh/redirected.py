"""A pod whose traffic is redirected to a stand-in for the proxy, which tells what it sees."""
import json
import os

from . import flags
from .network import APP_UID, PROXY_UID

LISTENER = os.path.join(flags.APPS, "destination_listener.py")
SERVICE_PORTS = [15020, 15021, 15090]
REMOTE_PORT, APP_PORT, EXCLUDED_PORT = 7000, 8080, 3306


def listen(pod, name, uid, *ports):
    """A listener that says who it is and how the connection looks from there."""
    process = pod.start(["/usr/bin/python3", LISTENER, name, *ports], name, uid=uid)
    process.wait_log("^listening$")
    return process


class RedirectedPod:
    """`pod` has a proxy and an application in it, `peer` is another pod that is not redirected."""

    def __init__(self, network, *install_flags):
        self.network = network
        self.pod = network.pod("pod")
        self.peer = network.pod("peer")
        self.proxy = listen(self.pod, "proxy", PROXY_UID, 15001, 15006, *SERVICE_PORTS)
        self.app = listen(self.pod, "app", APP_UID, APP_PORT, EXCLUDED_PORT)
        self.remote = listen(self.peer, "remote", APP_UID, REMOTE_PORT, EXCLUDED_PORT, APP_PORT)
        # Whether verification works is asked in a test of its own.
        self.pod.run(flags.redirect("install", "--no-live-check", *install_flags))

    def land(self, dialler, host, port, **options):
        """(listener, original destination, peer, own address) as the one who accepted saw it."""
        dialled = dialler.dial(host, port, **options)
        assert dialled.ok and dialled.reply, f"{host}:{port} from {dialler.short_name}: {dialled.error}"
        seen = json.loads(dialled.reply)
        return seen["listener"], seen["original"], seen["peer"], seen["local"]
