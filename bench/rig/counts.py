"""Exact counts per request: user instructions (valgrind's callgrind), system calls (strace), calls of malloc.

Each is a slope: what N2 requests cost more than N1, divided by N2 - N1, on one running pair with as many
connections both times. So what connecting and starting cost is not in it.
"""
import glob
import os
import re
import signal
import struct
import subprocess
import time

from mesh import flags, wait

IN_FLIGHT = 32
# A worker publishes its counter once a second.
PUBLISHED_S = 1.5


def requests(bench, peer, count, in_flight=IN_FLIGHT):
    row = bench.load(peer.port, "--connections", in_flight, "--requests", count)
    if row["errors"]:
        raise RuntimeError(f"{peer.name}: {row['errors']} of {count} requests failed")


def _dump(process, folder, part):
    """Ir since the last dump, of all threads; the counters begin again at zero."""
    before = set(glob.glob(f"{folder}/callgrind.{part}.*"))
    subprocess.run(["vgdb", f"--pid={process.pid}", "dump"], check=True, capture_output=True, timeout=60)

    def look():
        files = set(glob.glob(f"{folder}/callgrind.{part}.*")) - before
        totals = [re.findall(r"^(?:totals|summary): (\d+)", open(file, encoding="utf-8").read(), re.MULTILINE)
                  for file in files]
        return totals and all(totals) and [int(total[-1]) for total in totals]
    return sum(wait.until(look, "callgrind's dump"))


def instructions(bench, peer, origin, low=500, high=2500):
    """{"A": per request, "B": ...} by callgrind. The profiles stay in the bench's folder as callgrind.PART.*"""
    folder = bench.make_folder(f"callgrind-{peer.name}")
    wrap = {part: ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={folder}/callgrind.{part}.%p",
                   "--dump-instr=no", "--separate-threads=no"] for part in "AB"}
    peer.start(bench, origin, wrap=wrap)
    try:
        requests(bench, peer, low)
        for part, process in peer.parts.items():
            _dump(process, folder, part)
        totals = []
        for count in (low, high):
            requests(bench, peer, count)
            totals.append({part: _dump(process, folder, part) for part, process in peer.parts.items()})
    finally:
        peer.stop()
    return {part: (totals[1][part] - totals[0][part]) / (high - low) for part in totals[0]}


def _straced(bench, peer, count):
    """{part: {call: number}} while `count` requests pass."""
    traces = {}
    for part, process in peer.parts.items():
        out = bench.path(f"strace-{peer.name}-{part}")
        traces[part] = (out, bench.start(["strace", "-c", "-f", "-o", out, "-p", process.pid], f"strace-{part}"))
        wait.until(lambda: "attached" in traces[part][1].log(), "strace is attached")
    # strace tells of the first thread; the others follow within moments.
    time.sleep(0.2)
    requests(bench, peer, count)
    found = {}
    for part, (out, tracer) in traces.items():
        tracer.signal(signal.SIGINT)
        tracer.wait()
        bench.stop(tracer)
        with open(out, encoding="ascii") as file:
            rows = re.findall(r"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:\d+ +)?([a-z_0-9]+)$", file.read(), re.MULTILINE)
        found[part] = {name: int(calls) for calls, name in rows if name != "total"}
    return found


def system_calls(bench, peer, low=1000, high=5000):
    """{call: per request}, A and B together. The peer runs."""
    requests(bench, peer, low)
    few, many = _straced(bench, peer, low), _straced(bench, peer, high)
    sums = {}
    for part, calls in many.items():
        for name in calls.keys() | few[part].keys():
            more = calls.get(name, 0) - few[part].get(name, 0)
            sums[name] = sums.get(name, 0) + more / (high - low)
    return {name: value for name, value in sorted(sums.items(), key=lambda item: -item[1]) if value >= 0.005}


def own_allocations(bench, peer, in_flight=64, low=2000, high=22000):
    """{"A": allocations per request, "B": ...} of Remora's workers by their own counter: its code and nghttp2,
    not BoringSSL. The peer is a running Remora."""
    def read():
        time.sleep(PUBLISHED_S)
        return peer.allocations()

    requests(bench, peer, low, in_flight)
    marks = [read()]
    for count in (low, high):
        requests(bench, peer, count, in_flight)
        marks.append(read())
    return {part: (marks[2][part] - 2 * marks[1][part] + marks[0][part]) / (high - low) for part in marks[0]}


def all_allocations(bench, peer, origin, low=2000, high=22000):
    """{"A": calls of malloc and its kin per request, "B": ...}, of the whole program with its libraries."""
    library = flags.binary_folder().parent / "libremora-count-malloc.so"
    env = {part: {"LD_PRELOAD": str(library), "REMORA_COUNT_FILE": bench.path(f"count-{peer.name}-{part}")}
           for part in "AB"}
    peer.start(bench, origin, env=env)

    def read():
        found = {}
        for part in peer.parts:
            with open(env[part]["REMORA_COUNT_FILE"], "rb") as file:
                found[part] = struct.unpack("=QQ", file.read(16))[0]
        return found

    try:
        requests(bench, peer, low)
        marks = [read()]
        for count in (low, high):
            requests(bench, peer, count)
            marks.append(read())
    finally:
        peer.stop()
        for part in "AB":
            if os.path.exists(env[part]["REMORA_COUNT_FILE"]):
                os.remove(env[part]["REMORA_COUNT_FILE"])
    few, many = ({part: later[part] - before[part] for part in later}
                 for before, later in ((marks[0], marks[1]), (marks[1], marks[2])))
    return {part: (many[part] - few[part]) / (high - low) for part in many}
