"""How the programs of Remora are called. When a flag changes its name, it changes here and nowhere else."""
import atexit
import functools
import os
import pathlib
import shutil
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]


@functools.lru_cache(maxsize=None)
def _copies():
    folder = tempfile.mkdtemp(prefix=f"remora-test-{os.getpid()}-copies-")
    os.chmod(folder, 0o755)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return pathlib.Path(folder)


@functools.lru_cache(maxsize=None)
def everybodys(path):
    """The path, or a copy of it: programs run as users who may not enter /root, where a clone may well be."""
    path = pathlib.Path(path).resolve()
    if all(folder.stat().st_mode & 0o001 for folder in path.parents):
        return str(path)
    copy = _copies() / (path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name)
    copy.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    if path.is_dir():
        shutil.copytree(path, copy, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(path, copy)
    for each in [copy, *copy.rglob("*")]:
        each.chmod(each.stat().st_mode | (0o555 if each.is_dir() else 0o444))
    return str(copy)


# Where the programs of the tests are, with what they import and the messages that they speak beside them.
everybodys(ROOT / "lib" / "xds" / "proto")
APPS = os.path.join(everybodys(ROOT / "tests" / "scenario"), "apps")

CONTROL_PORT, CONTROL_METRICS_PORT = 15012, 15014
ADMIN_PORT, METRICS_PORT, HEALTH_PORT = 15000, 15020, 15021
READY_PATH, METRICS_PATH = "/healthz/ready", "/metrics"


def binary_folder():
    """REMORA_BIN, or the usual build folder."""
    return pathlib.Path(os.environ.get("REMORA_BIN") or ROOT / "build" / "bin")


def binary(name):
    path = binary_folder() / name
    if not path.exists():
        raise FileNotFoundError(f"{path} is not built (REMORA_BIN names the folder)")
    return everybodys(path)


def redirect(command, *words):
    return [binary("remora-redirect"), command, *words]


def control(config_dir, state_dir, *words):
    return [binary("remora-control"), "--config-dir", config_dir, "--state-dir", state_dir, *words]


def control_roots(state_dir):
    """The file with the roots that the control plane's certificate chains to."""
    return os.path.join(state_dir, "root.pem")


def token(state_dir, namespace, service_account):
    """Prints a join token for this service account."""
    return [binary("remoractl"), "token", "create", "--state-dir", state_dir, "--namespace", namespace,
            "--service-account", service_account]


def proxy(member, control_address, roots, token_file, state_dir, *words):
    """`member` is a mesh.Member."""
    argv = [binary("remora-proxy"),
            "--control", control_address, "--control-ca", roots, "--token-file", token_file,
            "--namespace", member.namespace, "--service-account", member.service_account,
            "--workload", member.name, "--pod-address", member.pod.ip4, "--state-dir", state_dir]
    if member.version:
        argv += ["--workload-version", member.version]
    return [*argv, *words]
