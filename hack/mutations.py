"""Do the bundled suites go red for the deliberate bugs of their services? Calls each suite's own check.

`python -m hack.mutations [NAME...]`; `make mutations [SUITE=NAME]` calls it, and no test does.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]

CHECKS: Final[dict[str, tuple[str, ...]]] = {
    "alpha-panda": ("suites/alpha-panda/mutants.py",),
    "intelligence-service": ("-m", "pytest", "-q", "suites/intelligence-service/mutation_tests"),
    "kraken": ("suites/kraken/mutations.py",),
    "position-manager": ("suites/position-manager/mutations.py",),
    "tbot": ("-m", "seatrial.cli", "run", "suites/tbot/mutations.yaml"),
}
"""What Python is called with, in the repository's folder; exit status 0 when each bug was noticed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[[], *CHECKS], metavar="NAME", help=f"of {', '.join(CHECKS)}")
    names = parser.parse_args().names or list(CHECKS)
    unsound = [name for name in names if not _passes(name)]
    if unsound:
        sys.exit(f"error: not as expected: {', '.join(unsound)}. What was seen is above.")


def _passes(name: str) -> bool:
    print(f"== {name}", flush=True)
    return subprocess.run([sys.executable, *CHECKS[name]], cwd=ROOT, check=False).returncode == 0


if __name__ == "__main__":
    main()
