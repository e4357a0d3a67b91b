"""Programs that people really run, started in a pod. Each returns an App once it listens."""
import os
import textwrap

from . import flags
from .network import APP_UID


class App:
    """A running program: its pod, port, process, and the version that it tells."""

    def __init__(self, pod, port, process, version=None):
        self.pod = pod
        self.port = port
        self.process = process
        self.version = version

    def stop(self):
        self.process.stop()


def _python(pod, script, name, *words, uid=APP_UID):
    argv = ["/usr/bin/python3", os.path.join(flags.APPS, script), *words]
    process = pod.start(argv, name, uid=uid, env={"PYTHONDONTWRITEBYTECODE": "1"})
    process.wait_log("^listening$")
    return process


def version_service(pod, port=8080, version="v1", name="service"):
    """HTTP/1.1 in Python; see apps/version_service.py for what it answers."""
    return App(pod, port, _python(pod, "version_service.py", name, port, version, name), version)


def grpc_echo(pod, port=9000, version="v1"):
    """gRPC; see apps/grpc_echo.py."""
    return App(pod, port, _python(pod, "grpc_echo.py", "grpc", port, version), version)


def raw_http(pod, port=8070):
    """Answers with the request's head, byte for byte; see apps/raw_http.py."""
    return App(pod, port, _python(pod, "raw_http.py", "raw", port))


def half_close(pod, port=7070):
    """Counts bytes until the client's end, then answers; see apps/half_close.py."""
    return App(pod, port, _python(pod, "half_close.py", "half-close", port))


def websocket_echo(pod, port=8090, version="v1"):
    return App(pod, port, _python(pod, "websocket_echo.py", "websocket", port, version), version)


class Names:
    """A name server's names, which may change while it runs."""

    def __init__(self, path):
        self._path = path
        self.write({})

    @property
    def path(self):
        return self._path

    def write(self, names):
        """names: {name: [address, ...]}"""
        with open(self._path + ".new", "w", encoding="ascii") as file:
            file.writelines(f"{name} {address}\n" for name, listed in names.items() for address in listed)
        os.replace(self._path + ".new", self._path)


def dns(pod, port=5300):
    """A name server. `.names.write({...})` says what it knows; see apps/dns_server.py."""
    names = Names(os.path.join(pod.network.folder, f"{pod.short_name}-names"))
    app = App(pod, port, _python(pod, "dns_server.py", "dns", port, names.path))
    app.names = names
    return app


def tls_page(pod, name, port=8443):
    """`openssl s_server` with a certificate for the name; `.roots` is the file to verify it with."""
    folder = pod.network.make_folder(f"{pod.short_name}-tls", APP_UID)
    roots = os.path.join(folder, "cert.pem")
    pod.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
             f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-days", "2", "-keyout", f"{folder}/key.pem",
             "-out", roots], uid=APP_UID)
    process = pod.start(["openssl", "s_server", "-accept", port, "-cert", roots, "-key", f"{folder}/key.pem", "-www",
                         "-quiet"], "tls", uid=APP_UID)
    pod.wait_listening(port)
    app = App(pod, port, process)
    app.roots = roots
    return app


def nginx(pod, port=8080, version="v1", lines="", http2=False):
    """nginx as it comes. / answers "nginx VERSION"; `lines` go into its server block.

    http2: HTTP/2 without TLS on the port, and no HTTP/1.
    """
    folder = pod.network.make_folder(f"{pod.short_name}-nginx-{port}", APP_UID)
    with open(os.path.join(folder, "nginx.conf"), "w", encoding="ascii") as file:
        file.write(textwrap.dedent(f"""\
            daemon off;
            pid {folder}/pid;
            worker_processes 1;
            error_log stderr;
            events {{ worker_connections 1024; }}
            http {{
                access_log off;
                client_body_temp_path {folder}/body;
                proxy_temp_path {folder}/proxy;
                fastcgi_temp_path {folder}/fastcgi;
                uwsgi_temp_path {folder}/uwsgi;
                scgi_temp_path {folder}/scgi;
                keepalive_requests 1000000;
                server {{
                    listen [::]:{port} ipv6only=off{' http2' if http2 else ''};
                    add_header x-version {version} always;
                    location / {{ default_type text/plain; return 200 "nginx {version}\\n"; }}
                    {lines}
                }}
            }}
            """))
    process = pod.start(["nginx", "-e", "stderr", "-c", f"{folder}/nginx.conf"], "nginx", uid=APP_UID)
    pod.wait_listening(port)
    return App(pod, port, process, version)


def redis(pod, port=6379):
    folder = pod.network.make_folder(f"{pod.short_name}-redis", APP_UID)
    process = pod.start(["redis-server", "--port", port, "--bind", "*", "-::*", "--protected-mode", "no", "--save", "",
                         "--appendonly", "no", "--dir", folder], "redis", uid=APP_UID)
    process.wait_log("Ready to accept connections")
    return App(pod, port, process)


def mariadb(pod, port=3306):
    """A server that speaks first. Anybody may log in."""
    folder = pod.network.make_folder(f"{pod.short_name}-mariadb", APP_UID)
    pod.run(["mariadb-install-db", "--no-defaults", f"--datadir={folder}/db", "--auth-root-authentication-method=normal",
             "--skip-test-db", "--skip-name-resolve", "--force"], uid=APP_UID, cwd=folder, timeout=60)
    process = pod.start(["mariadbd", "--no-defaults", f"--datadir={folder}/db", f"--socket={folder}/socket",
                         f"--pid-file={folder}/pid", f"--port={port}", "--bind-address=*", "--skip-grant-tables",
                         "--skip-name-resolve", "--innodb-buffer-pool-size=8M", "--innodb-flush-method=fsync"],
                        "mariadb", uid=APP_UID, cwd=folder)
    process.wait_log("ready for connections", timeout=60)
    return App(pod, port, process)
