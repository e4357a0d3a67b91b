"""How the programs of Remora are called. When a flag changes its name, it changes here and nowhere else."""
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[3]
APPS = str(pathlib.Path(__file__).resolve().parents[1] / "apps")


def binary_folder():
    """REMORA_BIN, or the usual build folder."""
    return pathlib.Path(os.environ.get("REMORA_BIN") or ROOT / "build" / "bin")


def binary(name):
    path = binary_folder() / name
    if not path.exists():
        raise FileNotFoundError(f"{path} is not built (REMORA_BIN names the folder)")
    return str(path)


def redirect(command, *flags):
    return [binary("remora-redirect"), command, *flags]
