"""Network namespaces: a node that routes, and pods behind it.

Names are rms-PID-RANDOM-NAME: the process that made them and a random part, so that runs side by side do not
meet, and so that what a killed run left behind can be told from what is in use.
"""
import atexit
import contextlib
import ctypes
import ipaddress
import os
import re
import secrets
import shutil
import subprocess
import tempfile

from . import dial as dialling
from . import process, wait

PREFIX = "rms"
NETNS = "/run/netns"
CLONE_NEWNET = 0x40000000
APP_UID = 1500
PROXY_UID = 1337

_libc = ctypes.CDLL(None, use_errno=True)


def _set_namespace(descriptor):
    if _libc.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def ip(*words):
    done = subprocess.run(["ip", *words], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise OSError(f"ip {' '.join(words)}: {done.stderr.strip()}")


def unmount_below(folder):
    """File systems that a test mounted there."""
    with open("/proc/mounts", encoding="utf-8") as file:
        places = [line.split()[1] for line in file]
    for place in places:
        if place.startswith(folder + "/"):
            subprocess.run(["umount", "--lazy", place], check=False, capture_output=True)


def sweep():
    """Deletes namespaces and folders whose owner no longer runs. Those of living processes are not touched."""
    def is_stale(name, pattern):
        match = re.fullmatch(pattern, name)
        return match and not os.path.exists(f"/proc/{match.group(1)}")

    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(NETNS):
            if is_stale(name, PREFIX + r"-(\d+)-[0-9a-f]+-.*"):
                subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
    if not os.environ.get("REMORA_KEEP"):
        for name in os.listdir(tempfile.gettempdir()):
            if is_stale(name, r"remora-test-(\d+)-.*"):
                unmount_below(os.path.join(tempfile.gettempdir(), name))
                shutil.rmtree(os.path.join(tempfile.gettempdir(), name), ignore_errors=True)


class Namespace:
    """One network namespace. What runs in it is started by `run`, `start` and `dial`."""

    def __init__(self, network, short_name):
        self.network = network
        self.short_name = short_name
        self.name = f"{PREFIX}-{os.getpid()}-{network.tag}-{short_name}"
        ip("netns", "add", self.name)
        # Addresses are usable at once, and nothing changes by itself a second later.
        self.run(["sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.all.accept_dad=0",
                  "net.ipv6.conf.default.accept_ra=0"])
        self.ip("link", "set", "lo", "up")

    def delete(self):
        subprocess.run(["ip", "netns", "del", self.name], check=False, capture_output=True)

    def ip(self, *words):
        """Runs ip(8) in here."""
        ip("-n", self.name, *words)

    def _command(self, argv, uid, gid):
        return ["nsenter", f"--net={NETNS}/{self.name}", "--",
                "setpriv", "--reuid", str(uid), "--regid", str(uid if gid is None else gid), "--clear-groups",
                "--pdeathsig", "KILL", "--", *map(str, argv)]

    def run(self, argv, uid=0, gid=None, check=True, timeout=30, **options):
        """Runs a program to its end and returns subprocess.CompletedProcess, output as text."""
        options.setdefault("text", True)
        done = subprocess.run(self._command(argv, uid, gid), capture_output=True, timeout=timeout, check=False,
                              **options)
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(map(str, argv))} ended with {done.returncode}\n"
                                 f"{done.stdout}{done.stderr}")
        return done

    def start(self, argv, name=None, uid=0, gid=None, **options):
        """Starts a program that goes on running; it ends with the network. Returns process.Process."""
        return self.network.processes.start(self._command(argv, uid, gid),
                                            f"{self.short_name}-{name or os.path.basename(argv[0])}", **options)

    @contextlib.contextmanager
    def entered(self):
        """Sockets that this thread makes meanwhile are in here, and stay here afterwards."""
        with open("/proc/thread-self/ns/net", "rb") as before, open(f"{NETNS}/{self.name}", "rb") as inside:
            _set_namespace(inside.fileno())
            try:
                yield self
            finally:
                _set_namespace(before.fileno())

    def dial(self, host, port, **options):
        """One connection, see dial.dial."""
        return dialling.dial(self, host, port, **options)

    def listening(self):
        """The TCP ports that are listened on."""
        lines = self.run(["ss", "-Hltn"]).stdout.splitlines()
        return {int(line.split()[3].rsplit(":", 1)[1]) for line in lines}

    def wait_listening(self, port, timeout=wait.PATIENCE):
        """Waits until somebody listens on the port: asks the kernel's table, makes no connection."""
        wait.until(lambda: port in self.listening(), f"{self.short_name}: a listener on port {port}", timeout)


class Pod(Namespace):
    """A namespace with one interface, eth0, with an address of each family and default routes."""

    def __init__(self, network, short_name, number):
        super().__init__(network, short_name)
        self.ip4 = f"10.77.{number // 250}.{number % 250 + 2}"
        self.ip6 = f"fd77::{number + 2:x}"
        port = f"p{number}"
        ip("link", "add", port, "netns", network.node.name, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        network.node.ip("link", "set", port, "master", "br0", "up")
        self.ip("addr", "add", f"{self.ip4}/16", "dev", "eth0")
        self.ip("addr", "add", f"{self.ip6}/64", "dev", "eth0", "nodad")
        self.ip("link", "set", "eth0", "up")
        self.ip("route", "add", "default", "via", network.node_ip4)
        self.ip("-6", "route", "add", "default", "via", network.node_ip6)

    def address(self, family):
        return self.ip4 if family == 4 else self.ip6


class Network:
    """A machine of its own: `node` is its namespace, `pod(name)` adds a pod. Close it, or use `with`.

    Addresses that nobody has (a service's ClusterIP) need no set-up to be dialled: every pod's default route
    leads to the node. `translate` makes the node answer for one, as kube-proxy would.
    """
    node_ip4 = "10.77.255.1"
    node_ip6 = "fd77::ffff"

    def __init__(self):
        self.tag = secrets.token_hex(3)
        # Programs of other users write and read here, so it is open to all, like /tmp itself.
        self.folder = tempfile.mkdtemp(prefix=f"remora-test-{os.getpid()}-")
        os.chmod(self.folder, 0o755)
        self.processes = process.Processes(self.folder)
        self.pods = {}
        self._namespaces = []
        self._numbers = 0
        atexit.register(self.close)
        try:
            self._make_node()
        except Exception:
            self.close()
            raise

    def _make_node(self):
        self.node = Namespace(self, "node")
        self._namespaces.append(self.node)
        self.node.ip("link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
        self.node.ip("addr", "add", f"{self.node_ip4}/16", "dev", "br0")
        self.node.ip("addr", "add", f"{self.node_ip6}/64", "dev", "br0", "nodad")
        self.node.ip("link", "set", "br0", "up")
        self.node.run(["sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def pod(self, short_name, number=None):
        """number: 0 to 62499, for a pod whose address must be a certain one: 10.77.0.2 + number."""
        if not re.fullmatch(r"[a-z0-9-]{1,30}", short_name) or short_name in self.pods:
            raise ValueError(f"{short_name!r} cannot name a new pod")
        pod = Pod(self, short_name, self._numbers if number is None else number)
        if number is None:
            self._numbers += 1
        self._namespaces.append(pod)
        self.pods[short_name] = pod
        return pod

    def delete_pod(self, pod):
        """Takes a pod away as a node does: its programs first, then its network."""
        self.processes.stop_all(prefix=f"{pod.short_name}-")
        pod.delete()
        del self.pods[pod.short_name]

    def make_folder(self, name, uid=0):
        path = os.path.join(self.folder, name)
        os.makedirs(path, exist_ok=True)
        os.chown(path, uid, uid)
        return path

    def make_disk(self, name, size, uid=0):
        """A folder on a file system of its own that holds so much ("256k"); it goes with the network."""
        path = self.make_folder(name, uid)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0755,uid={uid},gid={uid}", "remora-test", path],
                       check=True, capture_output=True)
        return path

    def translate(self, virtual, port, pod, target_port=None):
        """The node sends connections to virtual:port to the pod: the work of kube-proxy, for one endpoint."""
        family = "ip6" if ipaddress.ip_address(virtual).version == 6 else "ip"
        where = f"[{pod.ip6}]" if family == "ip6" else pod.ip4
        self.node.run(["nft", "add table inet services; add chain inet services pre "
                       "{ type nat hook prerouting priority -100; }; "
                       f"add rule inet services pre {family} daddr {virtual} tcp dport {port} "
                       f"dnat {family} to {where}:{target_port or port}; "
                       # Answers between two pods of one bridge must come back through here, to be
                       # translated again.
                       "add chain inet services post { type nat hook postrouting priority 100; }; "
                       "add rule inet services post ct status dnat masquerade"])

    def close(self):
        atexit.unregister(self.close)
        self.processes.stop_all()
        for namespace in self._namespaces:
            namespace.delete()
        self._namespaces = []
        unmount_below(self.folder)
        if not os.environ.get("REMORA_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)
