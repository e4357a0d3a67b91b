"""Stands between proxies and the control plane as a control plane of another version would: what it says may differ.

    xds_relay.py PORT CONTROL ROOTS OWN-TOKEN CALLER-TOKEN SPOIL-FILE

Proxies see the identity that OWN-TOKEN is good for, and the control plane that of CALLER-TOKEN. While SPOIL-FILE
exists, the resource that it names ("TYPE-URL NAME") is sent on as bytes that mean nothing.
"""
import concurrent.futures
import os
import sys

import grpc

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from mesh import control_client as client  # noqa: E402  (needs the path above)

JUNK = b"\xff\xff\xff\xff"


class Relay(grpc.GenericRpcHandler):
    def __init__(self, channel, spoil_file):
        self.channel = channel
        self.spoil_file = spoil_file

    def service(self, details):
        if details.method == client.CREATE:
            return grpc.unary_unary_rpc_method_handler(
                lambda request, call: self.channel.unary_unary(details.method)(
                    request, timeout=10, metadata=call.invocation_metadata()))
        return grpc.stream_stream_rpc_method_handler(lambda requests, call: self.stream(details.method, requests, call))

    def stream(self, method, requests, call):
        onward = self.channel.stream_stream(method)(requests)
        call.add_callback(onward.cancel)
        try:
            for response in onward:
                yield self.spoilt(response) if method.startswith(client.ADS) else response
        except grpc.RpcError as error:
            call.abort(error.code(), error.details())

    def spoilt(self, response):
        try:
            with open(self.spoil_file, encoding="ascii") as file:
                name = file.read()
        except FileNotFoundError:
            return response
        message = client.discovery().DeltaDiscoveryResponse.FromString(response)
        for resource in message.resources:
            if f"{message.type_url} {resource.name}" == name:
                resource.resource.value = JUNK
        return message.SerializeToString()


def credentials(control, roots, token):
    """A key and a certificate for it, as anybody gets them who has a token."""
    key = client.new_key()
    with client.Channel(control, roots) as nobody:
        return key, "".join(nobody.create_certificate(client.csr(key), token)).encode()


def main():
    port, control, roots_file, own_token, caller_token, spoil_file = sys.argv[1:]
    with open(roots_file, "rb") as file:
        roots = file.read()
    key, chain = credentials(control, roots, own_token)
    caller = client.Channel(control, roots, *credentials(control, roots, caller_token))
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(16), handlers=[Relay(caller.channel, spoil_file)])
    if server.add_secure_port(f"0.0.0.0:{port}", grpc.ssl_server_credentials([(client.pem_of(key), chain)])) == 0:
        sys.exit("cannot listen")
    server.start()
    print("listening", flush=True)
    server.wait_for_termination()


main()
