"""Calls grpc_echo.py and prints what came of it as one line of JSON.

    grpc_call.py TARGET METHOD TIMEOUT METADATA-JSON MESSAGE...

{"code", "details", "replies", "initial", "trailing"}
"""
import json
import sys

import grpc

target, method, timeout, metadata = sys.argv[1:5]
messages = [message.encode() for message in sys.argv[5:]]
timeout = float(timeout)
metadata = [tuple(pair) for pair in json.loads(metadata)]


def pairs(items):
    return [[name, value if isinstance(value, str) else value.hex()] for name, value in items or ()]


with grpc.insecure_channel(target, options=[("grpc.enable_http_proxy", 0)]) as channel:
    path = f"/test.Echo/{method}"
    streams_out, streams_in = method in ("ClientStream", "Bidi"), method in ("ServerStream", "Bidi")
    kind = {(False, False): channel.unary_unary, (False, True): channel.unary_stream,
            (True, False): channel.stream_unary, (True, True): channel.stream_stream}[streams_out, streams_in]
    request = iter(messages) if streams_out else messages[0]
    stub = kind(path)
    replies = []
    call = None
    try:
        if streams_in:
            call = stub(request, timeout=timeout, metadata=metadata)
            replies.extend(call)
        else:
            reply, call = stub.with_call(request, timeout=timeout, metadata=metadata)
            replies.append(reply)
    except grpc.RpcError as error:
        call = error
    print(json.dumps({"code": call.code().value[0], "details": call.details(),
                      "replies": [reply.decode() for reply in replies],
                      "initial": pairs(call.initial_metadata()), "trailing": pairs(call.trailing_metadata())}))
