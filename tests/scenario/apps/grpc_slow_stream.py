"""One bidirectional call to grpc_echo.py whose messages come slowly; says "reply N" for each.

    grpc_slow_stream.py TARGET SECONDS-BETWEEN COUNT
"""
import sys
import time

import grpc

target, pause, count = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])


def requests():
    for number in range(count):
        yield b"%d" % number
        time.sleep(pause)


with grpc.insecure_channel(target, options=[("grpc.enable_http_proxy", 0)]) as channel:
    for number, reply in enumerate(channel.stream_stream("/test.Echo/Bidi")(requests())):
        assert reply == b"%d" % number
        print("reply", number, flush=True)
