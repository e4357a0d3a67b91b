"""A gRPC service without generated code: messages are plain bytes.

    grpc_echo.py PORT VERSION

    /test.Echo/Unary          answers the request
    /test.Echo/ServerStream   answers the request as often as the metadata x-repeat says (3)
    /test.Echo/ClientStream   answers all requests joined by |
    /test.Echo/Bidi           answers each request as it comes

Initial metadata has x-version; trailing metadata has x-echo when the request had it. The request metadata
x-fail: CODE fails the call with that code, x-delay-ms delays the answer.
"""
import concurrent.futures
import sys
import time

import grpc

VERSION = sys.argv[2]


def prepare(call):
    metadata = dict(call.invocation_metadata())
    call.send_initial_metadata([("x-version", VERSION)])
    if "x-echo" in metadata:
        call.set_trailing_metadata([("x-echo", metadata["x-echo"])])
    if "x-delay-ms" in metadata:
        time.sleep(int(metadata["x-delay-ms"]) / 1000)
    if "x-fail" in metadata:
        call.abort(next(code for code in grpc.StatusCode if code.value[0] == int(metadata["x-fail"])), "as asked")
    return metadata


def unary(request, call):
    prepare(call)
    return request


def server_stream(request, call):
    for _ in range(int(prepare(call).get("x-repeat", 3))):
        yield request


def client_stream(requests, call):
    prepare(call)
    return b"|".join(requests)


def bidi(requests, call):
    prepare(call)
    yield from requests


def main():
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(16))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.Echo", {
        "Unary": grpc.unary_unary_rpc_method_handler(unary),
        "ServerStream": grpc.unary_stream_rpc_method_handler(server_stream),
        "ClientStream": grpc.stream_unary_rpc_method_handler(client_stream),
        "Bidi": grpc.stream_stream_rpc_method_handler(bidi),
    })])
    if server.add_insecure_port(f"[::]:{sys.argv[1]}") == 0:
        sys.exit("cannot listen")
    server.start()
    print("listening", flush=True)
    server.wait_for_termination()


main()
