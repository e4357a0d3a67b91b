"""A stranger's view of the control plane: grpcio and the public message definitions, no code of Remora's."""
import atexit
import datetime
import importlib
import os
import queue
import shutil
import subprocess
import sys
import tempfile

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from . import flags, wait

PROTOS = flags.ROOT / "lib" / "xds" / "proto"
ADS = "/envoy.service.discovery.v3.AggregatedDiscoveryService/"
CREATE = "/istio.v1.auth.IstioCertificateService/CreateCertificate"
LOAD = "/remora.xds.v1.LoadReportService/StreamLoad"
LRS = "/envoy.service.load_stats.v3.LoadReportingService/StreamLoadStats"
TYPES = {"LDS": "envoy.config.listener.v3.Listener", "RDS": "envoy.config.route.v3.RouteConfiguration",
         "CDS": "envoy.config.cluster.v3.Cluster", "EDS": "envoy.config.endpoint.v3.ClusterLoadAssignment",
         "SDS": "envoy.extensions.transport_sockets.tls.v3.Secret", "PHONE": "remora.xds.v1.PhoneEntry",
         "WORKLOAD": "remora.xds.v1.WorkloadConfig"}

_generated = None


def module(name):
    """Python classes of a .proto of the source tree, made by protoc at the first use."""
    global _generated
    if _generated is None:
        _generated = tempfile.mkdtemp(prefix=f"remora-test-{os.getpid()}-protos-")
        atexit.register(shutil.rmtree, _generated, ignore_errors=True)
        files = [str(path) for path in PROTOS.rglob("*.proto") if "google/protobuf" not in str(path)]
        subprocess.run(["protoc", f"-I{PROTOS}", f"--python_out={_generated}", *files], check=True)
        sys.path.insert(0, _generated)
        import google
        google.__path__.append(os.path.join(_generated, "google"))
    return importlib.import_module(name)


def discovery():
    return module("envoy.service.discovery.v3.discovery_pb2")


def type_url(short):
    return "type.googleapis.com/" + TYPES[short]


def message_class(short):
    path, name = TYPES[short].rsplit(".", 1)
    files = {"LDS": "listener", "RDS": "route", "CDS": "cluster", "EDS": "endpoint", "SDS": "tls", "PHONE": "remora",
             "WORKLOAD": "remora"}
    return getattr(module(f"{path}.{files[short]}_pb2"), name)


def new_key(curve=None):
    return ec.generate_private_key(curve or ec.SECP256R1())


def csr(key, uris=(), dns=(), ca=False, subject=()):
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in subject]))
    names = [x509.UniformResourceIdentifier(uri) for uri in uris] + [x509.DNSName(name) for name in dns]
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if ca:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def pem_of(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


class Channel:
    """One connection to the control plane: nobody's, or that of a certificate."""

    def __init__(self, address, roots, key=None, chain=None):
        credentials = grpc.ssl_channel_credentials(roots, pem_of(key) if key else None, chain)
        options = [("grpc.ssl_target_name_override", "remora-control"), ("grpc.enable_retries", 0)]
        self.channel = grpc.secure_channel(address, credentials, options)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.channel.close()

    def create_certificate(self, request, token=None, seconds=0):
        """The chain as PEM texts. Raises grpc.RpcError."""
        messages = module("istio.v1.auth.ca_pb2")
        call = self.channel.unary_unary(CREATE, messages.IstioCertificateRequest.SerializeToString,
                                        messages.IstioCertificateResponse.FromString)
        answer = call(messages.IstioCertificateRequest(csr=request, validity_duration=seconds), timeout=10,
                      metadata=bearer(token))
        return list(answer.cert_chain)

    def raw_call(self, path, message, token=None):
        return self.channel.unary_unary(path)(message, timeout=10, metadata=bearer(token))

    def ads(self, variant, node=None, token=None):
        return Ads(self.channel, variant, node or {}, token)

    def report_load(self, report, token=None):
        """Sends one report and returns the first answer."""
        messages = module("remora.xds.v1.remora_pb2")
        call = self.channel.stream_stream(LOAD, messages.LoadReport.SerializeToString,
                                          messages.LoadReportAnswer.FromString)
        return first_answer(call, [messages.LoadReport(**report)], token)

    def report_stats(self, *reports, token=None):
        """The same as Envoy does it; reports are dictionaries, or bytes that are sent as they are."""
        messages = module("envoy.service.load_stats.v3.lrs_pb2")
        made = [report if isinstance(report, bytes) else messages.LoadStatsRequest(**report).SerializeToString()
                for report in reports]
        return first_answer(self.channel.stream_stream(LRS, None, messages.LoadStatsResponse.FromString), made, token)


def first_answer(call, requests, token):
    """Says all at once, hears the stream to its end, and returns the first answer. Raises grpc.RpcError."""
    waiting = queue.Queue()
    for request in requests:
        waiting.put(request)
    stream = call(iter(waiting.get, None), timeout=30, metadata=bearer(token))
    try:
        answer = next(stream)
    finally:
        waiting.put(None)
    for _ in stream:
        pass
    return answer


def bearer(token):
    return [("authorization", f"Bearer {token}")] if token else []


class Ads:
    """An ADS stream. Its caller says what is sent; responses are taken one by one."""

    def __init__(self, channel, variant, node, token):
        self.delta = variant == "delta"
        self._node = node
        self._requests = queue.Queue()
        messages = discovery()
        self._request = messages.DeltaDiscoveryRequest if self.delta else messages.DiscoveryRequest
        response = messages.DeltaDiscoveryResponse if self.delta else messages.DiscoveryResponse
        name = "DeltaAggregatedResources" if self.delta else "StreamAggregatedResources"
        call = channel.stream_stream(ADS + name, self._request.SerializeToString, response.FromString)
        self._call = call(iter(self._requests.get, None), metadata=bearer(token))
        self._responses = queue.Queue()
        self.error = None
        import threading
        threading.Thread(target=self._receive, daemon=True).start()

    def _receive(self):
        try:
            for response in self._call:
                self._responses.put(response)
        except grpc.RpcError as error:
            self.error = error
        self._responses.put(None)

    def send(self, short, refused=None, **fields):
        request = self._request(type_url=type_url(short), **fields)
        if self._node is not None:
            request.node.id = self._node.get("id", "client")
            request.node.user_agent_name = self._node.get("agent", "test")
            for name, value in self._node.get("metadata", {}).items():
                request.node.metadata[name] = value
            self._node = None
        if refused:
            request.error_detail.code = 3
            request.error_detail.message = refused
        self._requests.put(request)

    def ack(self, short, response, **fields):
        if not self.delta:
            fields["version_info"] = response.version_info
        self.send(short, response_nonce=response.nonce, **fields)

    def take(self, short=None, timeout=wait.PATIENCE):
        """The next response; of this type, as the test thinks."""
        response = self._responses.get(timeout=timeout)
        if response is None:
            raise self.error or EOFError("the stream has ended")
        assert short is None or response.type_url == type_url(short), response.type_url
        return response

    def is_silent(self, seconds):
        try:
            response = self._responses.get(timeout=seconds)
        except queue.Empty:
            return True
        raise AssertionError(f"not silent: {response}")

    def ended_with(self, timeout=wait.PATIENCE):
        """(code, details) of the stream's end."""
        while self._responses.get(timeout=timeout) is not None:
            pass
        return self.error.code(), self.error.details()

    def close(self):
        self._requests.put(None)
        self._call.cancel()


def resources(short, response):
    """name -> message, of either variant."""
    found = {}
    for item in response.resources:
        message = message_class(short)()
        assert (item.resource if hasattr(item, "resource") else item).Unpack(message)
        found[getattr(message, "name", "") or getattr(message, "cluster_name", "") or "self"] = message
    return found


def lifetime(pem):
    """Seconds from now to the end of a certificate."""
    certificate = x509.load_pem_x509_certificate(pem.encode())
    return (certificate.not_valid_after - datetime.datetime.utcnow()).total_seconds()


def identity(pem):
    """The URI names of a certificate."""
    certificate = x509.load_pem_x509_certificate(pem.encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return names.get_values_for_type(x509.UniformResourceIdentifier)
