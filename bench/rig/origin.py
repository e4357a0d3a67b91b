"""nginx that answers / from its configuration with 1 KiB."""
import shutil
import textwrap

from .bench import CLIENT_CPU, free_port

BODY = "0123456789abcdef" * 64


def is_here():
    return shutil.which("nginx") is not None


def start(bench):
    """The port it listens on."""
    port = free_port()
    folder = bench.make_folder("origin")
    with open(f"{folder}/nginx.conf", "w", encoding="ascii") as file:
        file.write(textwrap.dedent(f"""\
            daemon off;
            pid {folder}/pid;
            master_process off;
            worker_processes 1;
            error_log stderr;
            events {{ worker_connections 4096; accept_mutex off; }}
            http {{
                access_log off;
                client_body_temp_path {folder}/body;
                proxy_temp_path {folder}/proxy;
                fastcgi_temp_path {folder}/fastcgi;
                uwsgi_temp_path {folder}/uwsgi;
                scgi_temp_path {folder}/scgi;
                keepalive_timeout 3600s;
                keepalive_requests 1000000000;
                tcp_nodelay on;
                server {{
                    listen 127.0.0.1:{port} backlog=4096;
                    location / {{ default_type text/plain; return 200 "{BODY}"; }}
                }}
            }}
            """))
    started = bench.start(["nginx", "-e", "stderr", "-c", f"{folder}/nginx.conf"], "origin", CLIENT_CPU)
    bench.wait_port(started, port)
    return port
