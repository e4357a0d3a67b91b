"""How the programs of Remora are called. When a flag changes its name, it changes here and nowhere else."""
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[3]
APPS = str(pathlib.Path(__file__).resolve().parents[1] / "apps")

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
    return str(path)


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
