"""A mesh: a control plane in a pod of its own, and members with sidecars, driven by a folder of manifests."""
import os
import signal

from . import clients, flags, manifests, metrics, network as networks, wait


class Service:
    """A service's name and its virtual addresses, which nobody but the sidecars knows."""

    def __init__(self, name, namespace, ports, ip4, ip6):
        self.name = name
        self.namespace = namespace
        self.ports = ports
        self.ip4 = ip4
        self.ip6 = ip6

    @property
    def port(self):
        return next(iter(self.ports.values()))[0]

    def address(self, family):
        return self.ip4 if family == 4 else self.ip6

    def url(self, path="/", family=4, port=None):
        host = self.ip4 if family == 4 else f"[{self.ip6}]"
        return f"http://{host}:{port or self.port}{path}"


class Member:
    """A pod, an application in it if it serves, and a sidecar if it has one."""

    def __init__(self, mesh, pod, app, version, namespace, service_account, ports, sidecar):
        self.mesh = mesh
        self.pod = pod
        self.name = pod.short_name
        self.app_label = app
        self.version = version
        self.namespace = namespace
        self.service_account = service_account
        self.ports = ports
        self.sidecar = sidecar
        self.app = None
        self.proxy = None
        self.state_dir = None
        self.proxy_prefix = []

    @property
    def identity(self):
        return f"spiffe://{self.mesh.trust_domain}/ns/{self.namespace}/sa/{self.service_account}"

    def manifest(self, **spec):
        labels = {"app": self.app_label, **({"version": self.version} if self.version else {})}
        return manifests.workload(self.name, [self.pod.ip4, self.pod.ip6], self.ports, labels, self.namespace,
                                  self.service_account, self.sidecar, **spec)

    def start_proxy(self, *words, redirect_words=()):
        """Rules first, then the proxy, as an init container and a sidecar would."""
        self.pod.run(flags.redirect("install", *redirect_words))
        self.launch_proxy(*words)

    def launch_proxy(self, *words):
        """Only the proxy: after a restart the rules are still there."""
        mesh = self.mesh
        folder = mesh.network.make_folder(f"{self.name}-proxy", networks.PROXY_UID)
        token_file = os.path.join(folder, "token")
        with open(token_file, "w", encoding="ascii") as file:
            file.write(mesh.issue_token(self.namespace, self.service_account))
        os.chown(token_file, networks.PROXY_UID, networks.PROXY_UID)
        os.chmod(token_file, 0o600)
        self.state_dir = folder
        argv = flags.proxy(self, mesh.control_address, mesh.roots_file, token_file, folder, *words)
        self.proxy = self.pod.start([*self.proxy_prefix, *argv], "proxy", uid=networks.PROXY_UID)

    def restart_proxy(self):
        """Ends it and starts it on what it left: the same state, and the token that is there."""
        self.proxy.signal(signal.SIGINT)
        self.proxy.wait()
        self.proxy = self.mesh.network.processes.start(self.proxy.argv, self.proxy.name)

    def is_ready(self):
        return metrics.get(self.pod, flags.HEALTH_PORT, flags.READY_PATH)[0] == 200

    def wait_ready(self, timeout=wait.PATIENCE):
        def look():
            if not self.proxy.is_running():
                raise RuntimeError(f"{self.proxy.name} ended with {self.proxy.returncode}:\n{self.proxy.log()[-4000:]}")
            return self.is_ready()
        wait.until(look, f"{self.name}: its proxy is ready", timeout)

    def metrics(self):
        return metrics.scrape(self.pod, flags.METRICS_PORT, flags.METRICS_PATH)

    def why_not_ready(self):
        """What the health port answers; "" when the proxy is ready."""
        status, text = metrics.get(self.pod, flags.HEALTH_PORT, flags.READY_PATH)
        return "" if status == 200 else text.strip()

    def wait_metric(self, wanted, name, **labels):
        return metrics.wait_total(self.pod, wanted, name, flags.METRICS_PORT, **labels)

    def admin(self, path):
        """(status, body) of the proxy's admin interface."""
        return metrics.get(self.pod, flags.ADMIN_PORT, path)

    def wait_known(self, service, port=None):
        """Until the proxy knows the service's address. Before that a call to it goes out as to a stranger."""
        def look():
            return '"phone_book":{' in self.admin(f"/explain?to={service.ip4}:{port or service.port}")[1]
        wait.until(look, f"{self.name}: {service.name} is in the phone book")

    def curl(self, url, *words, **options):
        return clients.curl(self.pod, url, *words, **options)


class Mesh:
    """Made over a network. `start` the control plane, add `service`s and `member`s, `wait_ready`."""

    def __init__(self, network, trust_domain="remora.local"):
        self.network = network
        self.trust_domain = trust_domain
        self.members = {}
        self.services = {}
        self.control = None
        self.control_pod = network.pod("control")
        self.state_dir = network.make_folder("control-state", networks.APP_UID)
        self.folder = manifests.Folder(network.make_folder("manifests", networks.APP_UID))
        self.roots_file = os.path.join(network.folder, "roots.pem")
        self.control_address = f"{self.control_pod.ip4}:{flags.CONTROL_PORT}"

    def start(self, *words):
        """Starts the control plane, or starts it again on the state that is there."""
        argv = flags.control(self.folder.path, self.state_dir, *words)
        self.control = self.control_pod.start(argv, "control", uid=networks.APP_UID)
        self.control_pod.wait_listening(flags.CONTROL_PORT)
        source = flags.control_roots(self.state_dir)
        wait.until(lambda: os.path.exists(source), "the control plane's root certificate")
        # A copy that every user may read: the state folder is the control plane's own.
        with open(source, "rb") as roots, open(self.roots_file, "wb") as copy:
            copy.write(roots.read())
        os.chmod(self.roots_file, 0o644)

    def kill_control(self):
        """SIGKILL, as a machine that fails would have it."""
        self.control.signal(signal.SIGKILL)
        self.control.wait()

    def issue_token(self, namespace, service_account):
        done = self.control_pod.run(flags.token(self.state_dir, namespace, service_account), uid=networks.APP_UID)
        return done.stdout.strip()

    def service(self, name, ports=None, namespace="default", selector=None):
        """Writes a Service. ports: see manifests.service; by default HTTP on 80 to the port named http."""
        number = len(self.services) + 10
        ports = ports or {"http": (80, "http", "http")}
        made = Service(name, namespace, ports, f"10.96.0.{number}", f"fd96::{number:x}")
        self.services[namespace, name] = made
        self.folder.write(f"service-{namespace}-{name}",
                          manifests.service(name, ports, namespace, selector, [made.ip4, made.ip6]))
        return made

    def member(self, name, app=None, version=None, program=None, ports=None, namespace="default",
               service_account=None, sidecar=True, proxy_words=(), redirect_words=(), proxy_prefix=(), **spec):
        """Adds a pod and its Workload.

        program: a function of apps (or None for a pod that only calls), which gets the pod, and `version` when
        that is given. Its port is told to the mesh as "http" unless `ports` says otherwise.
        proxy_prefix: a program that replaces itself by the proxy, such as prlimit with its words.
        """
        pod = self.network.pod(name)
        made = Member(self, pod, app or name, version, namespace, service_account or app or name, ports or {}, sidecar)
        made.proxy_prefix = proxy_prefix
        self.members[name] = made
        if program is not None:
            made.app = program(pod, **({"version": version} if version else {}))
            made.ports = ports or {"http": made.app.port}
        self.folder.write(f"workload-{namespace}-{name}", made.manifest(**spec))
        if sidecar:
            made.start_proxy(*proxy_words, redirect_words=redirect_words)
        return made

    def remove(self, member):
        """Takes a member away: its manifest first, as a control plane would learn it, then the pod."""
        self.folder.remove(f"workload-{member.namespace}-{member.name}")
        self.network.delete_pod(member.pod)
        del self.members[member.name]

    def wait_ready(self, timeout=wait.PATIENCE):
        for member in self.members.values():
            if member.sidecar:
                member.wait_ready(timeout)
