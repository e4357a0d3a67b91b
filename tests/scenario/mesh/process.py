"""Programs that run beside the test, with their output kept, ended by their own process id only."""
import os
import re
import signal
import subprocess
import time

from . import wait


class Process:
    """One running program. It dies with the test's process, however that ends (PR_SET_PDEATHSIG)."""

    def __init__(self, argv, name, log_path, env=None, cwd=None):
        self.name = name
        self.argv = argv
        self.log_path = log_path
        with open(log_path, "ab") as log:
            self._popen = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=cwd,
                                           env={**os.environ, **(env or {})}, start_new_session=True)

    @property
    def pid(self):
        # nsenter and setpriv replace themselves, so this is the program's own.
        return self._popen.pid

    @property
    def returncode(self):
        return self._popen.poll()

    def is_running(self):
        return self._popen.poll() is None

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait_log(self, pattern, timeout=wait.PATIENCE):
        """Waits for a line that matches and returns the match; fails at once when the program ends before."""
        def look():
            match = re.search(pattern, self.log(), re.MULTILINE)
            if match is None and not self.is_running():
                raise RuntimeError(f"{self.name} ended with {self.returncode}:\n{self.log()[-4000:]}")
            return match
        return wait.until(look, f"{self.name}: a line like {pattern!r}", timeout)

    def signal(self, number):
        if self.is_running():
            self._popen.send_signal(number)

    def wait(self, timeout=wait.PATIENCE):
        """Waits for the end and returns the exit status."""
        return self._popen.wait(timeout)

    def stop(self, timeout=5):
        """SIGTERM, and after the timeout SIGKILL to it and what it started. Returns the exit status."""
        self.signal(signal.SIGTERM)
        try:
            self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            pass
        self.kill()
        return self._popen.returncode

    def kill(self):
        """SIGKILL, to the whole session that this process leads: its children may have outlived it."""
        try:
            os.killpg(self._popen.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._popen.wait()

    def pss_bytes(self):
        """Its share of memory, as the kernel counts it."""
        with open(f"/proc/{self.pid}/smaps_rollup", encoding="ascii") as file:
            return int(re.search(r"^Pss:\s+(\d+) kB", file.read(), re.MULTILINE).group(1)) * 1024

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def cpu_seconds(self):
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Processes:
    """Everything that one network has started."""

    def __init__(self, folder):
        self._folder = folder
        self._all = []

    def start(self, argv, name, **options):
        name = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
        count = sum(1 for process in self._all if process.name == name)
        log_path = os.path.join(self._folder, f"{name}{f'.{count}' if count else ''}.log")
        process = Process(argv, name, log_path, **options)
        self._all.append(process)
        return process

    def stop_all(self, prefix="", timeout=5):
        """Ends them all at the same time, the newest first."""
        chosen = [process for process in reversed(self._all) if process.name.startswith(prefix)]
        for process in chosen:
            process.signal(signal.SIGTERM)
        deadline = time.monotonic() + timeout
        for process in chosen:
            process.stop(max(0.0, deadline - time.monotonic()))

    def logs(self, lines=60):
        """(name, last lines) of each that has said something."""
        for process in self._all:
            text = process.log() if os.path.exists(process.log_path) else ""
            if text.strip():
                yield process.name, "\n".join(text.splitlines()[-lines:])
