"""A gRPC program that finds its service by xDS, as the library does it, and tells who answers.

    xds_grpc_client.py CONTROL TARGET...      calls each target; then the first again for each line of its input
"""
import json
import os
import sys

CONTROL, TARGETS = sys.argv[1], sys.argv[2:]
os.environ["GRPC_XDS_BOOTSTRAP_CONFIG"] = json.dumps({
    "xds_servers": [{"server_uri": CONTROL, "channel_creds": [{"type": "insecure"}], "server_features": ["xds_v3"]}],
    "node": {"id": "stranger", "metadata": {"NAMESPACE": "shop"}, "locality": {}}})

import grpc  # noqa: E402  (reads the environment)

calls = [grpc.insecure_channel(f"xds:///{target}").unary_unary("/test.Who/Is") for target in TARGETS]
for call in calls:
    print(call(b"", timeout=10).decode(), flush=True)
for _ in sys.stdin:
    print(calls[0](b"", timeout=10).decode(), flush=True)
