"""Everything that one measurement has started, and its folder; all of it ends with the `with` block."""
import json
import os
import shutil
import socket
import subprocess
import tempfile

from mesh import flags, process, wait

from . import machine

# The measured programs share one core, the client and the origin have the other: what one uses up
# the other does not miss, and all peers meet the same.
PROXY_CPU = os.cpu_count() - 1
CLIENT_CPU = 0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Bench:
    def __init__(self, keep=False):
        self.keep = keep

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix=f"remora-bench-{os.getpid()}-")
        # nginx's worker runs as another user.
        os.chmod(self.folder, 0o755)
        self.processes = process.Processes(self.folder)
        self._all = []
        return self

    def __exit__(self, kind, error, trace):
        self.processes.stop_all()
        if kind is not None:
            for name, lines in self.processes.logs(20):
                print(f"--- {name}\n{lines}")
        if self.keep:
            print(f"kept: {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def make_folder(self, *names):
        os.makedirs(self.path(*names), exist_ok=True)
        return self.path(*names)

    def start(self, argv, name, cpu=None, wrap=(), env=None):
        """Starts a program pinned to a core; wrap goes before it (valgrind, for example)."""
        pin = [] if cpu is None else ["taskset", "-c", str(cpu)]
        words = ["setpriv", "--pdeathsig", "KILL", "--", *pin, *wrap, *map(str, argv)]
        # The folder is the working folder, so that what a program drops lands in there.
        started = self.processes.start(words, name, cwd=self.folder, env=env)
        self._all.append(started)
        return started

    def stop(self, *processes):
        for one in processes:
            one.stop()
            self._all.remove(one)

    def wait_port(self, started, port, timeout=wait.PATIENCE):
        def look():
            if not started.is_running():
                raise RuntimeError(f"{started.name} ended with {started.returncode}:\n{started.log()[-4000:]}")
            return is_listening(port)
        wait.until(look, f"{started.name} listens on {port}", timeout)

    def load(self, port, *words, watch=(), timeout=600):
        """Runs remora-load and returns what it measured, with `foreign`, `steal` and `clean` added."""
        argv = ["taskset", "-c", str(CLIENT_CPU), flags.binary("remora-load"), "--target", f"127.0.0.1:{port}",
                *map(str, words)]
        if watch:
            argv += ["--watch", ",".join(map(str, watch))]
        with machine.Noise([one.pid for one in self._all]) as noise:
            done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False)
        if not done.stdout:
            raise RuntimeError(f"remora-load ended with {done.returncode}: {done.stderr.strip()}")
        row = json.loads(done.stdout)
        row.update(foreign=round(noise.foreign, 3), steal=round(noise.steal, 3), clean=noise.clean)
        return row
