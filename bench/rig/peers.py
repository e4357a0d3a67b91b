"""What Remora is compared with: the origin itself, two relays in a row, and pairs of other proxies.

Each is started with start(bench, origin), gives `port` for the client and `parts` {"A": process, "B": process} whose
cost is measured, and is ended with stop(). `wrap` and `env` are {"A": ..., "B": ...}.
"""
import shutil
import textwrap

from mesh import flags

from .bench import PROXY_CPU, free_port


class Peer:
    name = ""
    programs = ()

    @classmethod
    def is_here(cls):
        return all(shutil.which(program) for program in cls.programs)

    def __init__(self):
        self.parts = {}
        self.port = None
        self.bench = None

    @property
    def pids(self):
        return [part.pid for part in self.parts.values()]

    def start(self, bench, origin, wrap=None, env=None):
        self.bench = bench
        self.wrap = wrap or {}
        self.env = env or {}
        self.patience = 120 if self.wrap else 15
        self.begin(origin)
        return self

    def begin(self, origin):
        raise NotImplementedError

    def run(self, part, argv, port):
        started = self.bench.start(argv, f"{self.name}-{part}", PROXY_CPU, self.wrap.get(part, ()),
                                   self.env.get(part))
        self.parts[part] = started
        self.bench.wait_port(started, port, self.patience)
        return started

    def file(self, name, text):
        path = self.bench.path(name)
        with open(path, "w", encoding="ascii") as file:
            file.write(textwrap.dedent(text))
        return path

    def stop(self):
        self.bench.stop(*self.parts.values())
        self.parts = {}


class Direct(Peer):
    name = "direct"

    def begin(self, origin):
        self.port = origin


class Floor(Peer):
    """Two relays that parse nothing and encrypt nothing."""
    name = "floor"

    def begin(self, origin):
        inner, self.port = free_port(), free_port()
        self.run("B", [flags.binary("remora-floor"), inner, f"127.0.0.1:{origin}"], inner)
        self.run("A", [flags.binary("remora-floor"), self.port, f"127.0.0.1:{inner}"], self.port)


class Haproxy(Peer):
    name = "haproxy"
    programs = ("haproxy",)

    COMMON = """\
        global
            nbthread 1
            maxconn 2000
            ssl-default-bind-options ssl-min-ver TLSv1.3
            ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256
            ssl-default-server-ciphersuites TLS_AES_128_GCM_SHA256
            tune.ssl.cachesize 20000
        defaults
            mode http
            timeout connect 5s
            timeout client 3600s
            timeout server 3600s
            http-reuse always
        """

    def begin(self, origin):
        inner, self.port = free_port(), free_port()
        pki = self.bench.path("pki")
        b = self.file("haproxy-b.cfg", textwrap.dedent(self.COMMON) + textwrap.dedent(f"""\
            listen b
                bind 127.0.0.1:{inner} backlog 4096 ssl crt {pki}/server.both.pem alpn h2 ca-file {pki}/ca.pem verify required
                server origin 127.0.0.1:{origin}
            """))
        a = self.file("haproxy-a.cfg", textwrap.dedent(self.COMMON) + textwrap.dedent(f"""\
            listen a
                bind 127.0.0.1:{self.port} backlog 4096
                server b 127.0.0.1:{inner} ssl verify required ca-file {pki}/ca.pem crt {pki}/client.both.pem alpn h2 sni str(localhost) verifyhost localhost
            """))
        self.run("B", ["haproxy", "-db", "-f", b], inner)
        self.run("A", ["haproxy", "-db", "-f", a], self.port)


class Nghttpx(Peer):
    name = "nghttpx"
    programs = ("nghttpx",)

    def begin(self, origin):
        inner, self.port = free_port(), free_port()
        pki = self.bench.path("pki")
        common = ["nghttpx", "--conf=/dev/null", "--single-process", "-n1", "--errorlog-file=/dev/stderr",
                  "--log-level=ERROR", "--no-ocsp", "--backlog=4096", "--backend-keep-alive-timeout=3600s",
                  "--frontend-read-timeout=3600s", "--backend-read-timeout=3600s",
                  "--frontend-http2-read-timeout=3600s", "--tls-min-proto-version=TLSv1.3",
                  "--tls13-ciphers=TLS_AES_128_GCM_SHA256", "--tls13-client-ciphers=TLS_AES_128_GCM_SHA256"]
        self.run("B", [*common, f"--frontend=127.0.0.1,{inner}", f"--backend=127.0.0.1,{origin}", "--verify-client",
                       f"--verify-client-cacert={pki}/ca.pem", f"{pki}/server.key", f"{pki}/server.pem"], inner)
        self.run("A", [*common, f"--frontend=127.0.0.1,{self.port};no-tls",
                       f"--backend=127.0.0.1,{inner};;proto=h2;tls;sni=localhost", f"--cacert={pki}/ca.pem",
                       f"--client-private-key-file={pki}/client.key", f"--client-cert-file={pki}/client.pem"],
                 self.port)
