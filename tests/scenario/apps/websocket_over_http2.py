"""A WebSocket by extended CONNECT (RFC 8441): websocket_over_http2.py HOST PORT PATH WORD...

Says each word, waits for its echo, and prints the status, the fields of the response and the echoes as JSON.
"""
import json
import socket
import struct
import sys

import h2.config
import h2.connection
import h2.events
import h2.settings

MASK = b"\x11\x22\x33\x44"


def frame(text):
    payload = bytes(byte ^ MASK[at % 4] for at, byte in enumerate(text.encode()))
    assert len(payload) < 126
    return struct.pack("!BB", 0x81, 0x80 | len(payload)) + MASK + payload


class Client:
    def __init__(self, host, port):
        self.socket = socket.create_connection((host, port), timeout=10)
        self.http = h2.connection.H2Connection(h2.config.H2Configuration(validate_outbound_headers=False))
        self.http.initiate_connection()
        self.fields = self.enabled = None
        self.received = b""

    def until(self, condition):
        while not condition():
            self.socket.sendall(self.http.data_to_send())
            data = self.socket.recv(65536)
            assert data, "the connection has ended"
            for event in self.http.receive_data(data):
                assert not isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)), event
                if isinstance(event, h2.events.RemoteSettingsChanged):
                    changed = event.changed_settings.get(h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL)
                    self.enabled = changed.new_value if changed else 0
                elif isinstance(event, h2.events.ResponseReceived):
                    self.fields = [[part.decode() if isinstance(part, bytes) else part for part in pair]
                                   for pair in event.headers]
                elif isinstance(event, h2.events.DataReceived):
                    self.received += event.data
                    self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        self.socket.sendall(self.http.data_to_send())


def main(host, port, path, *words):
    client = Client(host, int(port))
    client.until(lambda: client.enabled is not None)
    assert client.enabled == 1, "the server takes no extended CONNECT"
    client.http.send_headers(1, [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"),
                                 (":authority", host), (":path", path), ("sec-websocket-version", "13")])
    client.until(lambda: client.fields is not None)
    echoes = []
    for word in words:
        client.http.send_data(1, frame(word))
        wanted = struct.pack("!BB", 0x81, len(word)) + word.encode()
        client.until(lambda wanted=wanted: len(client.received) >= len(wanted))
        assert client.received == wanted, client.received
        client.received = b""
        echoes.append(word)
    print(json.dumps({"fields": client.fields, "echoes": echoes}))


main(*sys.argv[1:])
