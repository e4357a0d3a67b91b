"""What bench/chain.py and bench/memory.py share. The programs' flags and manifests are those of the scenarios."""
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "scenario"))
