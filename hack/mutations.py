"""Do the bundled suites go red for the deliberate bugs of their services? Calls each suite's own check.

`python -m hack.mutations [NAME [ARGUMENT...]]`; the arguments are those of the suite's own check. `make mutations
[SUITE=NAME]` calls it, and no test does.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from typing import Final

from hack.local_run import ROOT

# Python finds packages beside a script that it is given, and from `-c` in the repository, where this one is.
SCRIPT: Final = ("-c", "import runpy, sys; del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')")
CHECKS: Final[dict[str, tuple[str, ...]]] = {
    "alpha-panda": (*SCRIPT, "suites/alpha-panda/mutations.py"),
    "intelligence-service": ("-m", "pytest", "-q", "suites/intelligence-service/mutation_tests"),
    "kraken": (*SCRIPT, "suites/kraken/mutations.py"),
    "position-manager": (*SCRIPT, "suites/position-manager/mutations.py"),
    "tbot": ("-m", "seatrial.cli", "run", "suites/tbot/mutations.yaml"),
}
"""What Python is called with, in the repository's folder; exit status 0 when each bug was noticed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", choices=CHECKS, metavar="NAME", help=f"of {', '.join(CHECKS)}; else all")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARGUMENT", help="passed on")
    given = parser.parse_args()
    unsound = [name for name in ([given.name] if given.name else CHECKS) if not _passes(name, given.arguments)]
    if unsound:
        sys.exit(f"error: not as expected: {', '.join(unsound)}. What was seen is above.")


def _passes(name: str, arguments: list[str]) -> bool:
    print(f"== {name}", flush=True)
    return subprocess.run([sys.executable, *CHECKS[name], *arguments], cwd=ROOT, check=False).returncode == 0


if __name__ == "__main__":
    main()
