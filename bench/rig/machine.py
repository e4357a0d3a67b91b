"""The machine, in words, and how busy others keep it."""
import os
import platform
import re

TICKS = os.sysconf("SC_CLK_TCK")


def describe():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = re.search(r"^model name\s*:\s*(.*)$", file.read(), re.MULTILINE)
    with open("/etc/os-release", encoding="utf-8") as file:
        system = re.search(r'^PRETTY_NAME="?([^"\n]*)', file.read(), re.MULTILINE)
    return (f"{os.cpu_count()} cores, {model.group(1) if model else platform.machine()}, "
            f"{system.group(1) if system else 'Linux'}, Linux {platform.release().split('-')[0]}")


def _machine_seconds():
    """(busy, stolen) of all cores since the start."""
    with open("/proc/stat", encoding="ascii") as file:
        fields = [int(word) for word in file.readline().split()[1:]]
    user, nice, system, _idle, _iowait, irq, softirq, steal = fields[:8]
    return (user + nice + system + irq + softirq) / TICKS, steal / TICKS


def process_seconds(pid):
    """CPU time of a process, all its threads."""
    total = 0
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
    except (OSError, ValueError):
        pass
    return total / 1e9


class Noise:
    """What others used of the cores between `begin` and `end`, in cores; ours are the pids and our children."""
    GATE_CORES = 0.05

    def __init__(self, pids):
        self._pids = list(pids)

    def _ours(self):
        own = os.times()
        return (own.user + own.system + own.children_user + own.children_system +
                sum(process_seconds(pid) for pid in self._pids))

    def __enter__(self):
        self._start = (os.times().elapsed, self._ours(), *_machine_seconds())
        return self

    def __exit__(self, *unused):
        elapsed, ours, busy, steal = (now - then for now, then in zip(
            (os.times().elapsed, self._ours(), *_machine_seconds()), self._start))
        self.foreign = max(0.0, busy - ours) / elapsed
        self.steal = steal / elapsed
        self.clean = self.foreign + self.steal < self.GATE_CORES
