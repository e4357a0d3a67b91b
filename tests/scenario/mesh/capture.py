"""What is on the wire: tcpdump in a namespace, read back as bytes."""
import os
import struct

from . import wait

_RECORD_HEAD = struct.Struct("=IIII")


class Capture:
    """Records from when it is made until `stop`. Use as `with Capture(pod.network.node, "br0") as capture:`."""

    def __init__(self, namespace, interface="any", expression="tcp"):
        self._network = namespace.network
        number = sum(1 for name in os.listdir(self._network.folder) if name.endswith(".pcap"))
        self.path = os.path.join(self._network.folder, f"{namespace.short_name}-{number}.pcap")
        self._process = namespace.start(["tcpdump", "-i", interface, "-s", "0", "-U", "--immediate-mode", "-n", "-Z",
                                         "root", "-B", "16384", "-w", self.path, *expression.split()], "tcpdump")
        self._process.wait_log("listening on")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def packets(self):
        """The bytes of each packet recorded so far, link layer included."""
        with open(self.path, "rb") as file:
            raw = file.read()
        at = 24
        while at + _RECORD_HEAD.size <= len(raw):
            length = _RECORD_HEAD.unpack_from(raw, at)[2]
            at += _RECORD_HEAD.size
            if at + length > len(raw):
                return
            yield raw[at:at + length]
            at += length

    def contains(self, needle):
        """Whether the bytes stand in one packet."""
        return any(needle in packet for packet in self.packets())

    def wait_for(self, needle, timeout=wait.PATIENCE):
        wait.until(lambda: self.contains(needle), f"{needle!r} on the wire", timeout)

    def count(self):
        return sum(1 for _ in self.packets())

    def stop(self):
        self._process.stop()
        dropped = self._process.log()
        assert "\n0 packets dropped by kernel" in dropped, f"the capture has holes: {dropped}"
