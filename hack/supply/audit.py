"""Known vulnerabilities of what the lock files list, as pip-audit finds them."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from hack.supply.locks import REQUIREMENTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

UNREACHABLE = ("ConnectionError", "Could not connect", "Max retries exceeded", "ServiceError", "Forbidden", "timed out")
"""In what pip-audit says when there is no vulnerability data, rather than no vulnerability."""
STRICT = "SEATRIAL_AUDIT_STRICT"
"""Set to anything, missing data is a failure."""


def audit(lock: Path, program: Path, environment: Mapping[str, str], arguments: Sequence[str] = ()) -> int:
    """Look at one lock file and say what was found: 0 when nothing was, or nobody could be asked; 1 otherwise."""
    command = [
        *(str(program), "--requirement", str(lock), "--require-hashes", "--disable-pip"),
        *("--progress-spinner", "off", *arguments),
    ]
    done = subprocess.run(command, capture_output=True, text=True, env=dict(environment), check=False)
    said = (done.stdout + done.stderr).strip()
    if done.returncode == 0:
        print(f"{lock.name}: no known vulnerability")
        return 0
    if "Found " in said and "vulnerabilit" in said:
        print(f"{lock.name}: {said}", file=sys.stderr)
        return 1
    if any(mark in said for mark in UNREACHABLE):
        strict = bool(environment.get(STRICT))
        print(
            f"{lock.name}: NOT CHECKED: the vulnerability data cannot be reached from here"
            f"{'' if strict else '; CI checks it'} ({said.splitlines()[-1][:200]})",
            file=sys.stderr,
        )
        return int(strict)
    print(f"{lock.name}: pip-audit exited with {done.returncode}: {said}", file=sys.stderr)
    return 1


def audit_all(program: Path) -> int:
    """Every lock file; the worst exit status."""
    return max(audit(lock, program, os.environ) for lock in sorted(REQUIREMENTS.glob("*.lock")))
