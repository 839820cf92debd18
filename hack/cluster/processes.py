"""Running other programs with errors for people."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from hack.cluster.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def run(command: Sequence[str], *, stdin: str | None = None) -> str:
    """Standard output of `command`; ClusterError with its messages when it fails."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise ClusterError(f"`{' '.join(command)}` exited with status {done.returncode}: {said or 'it said nothing'}")
    return done.stdout


def tail(path: Path, lines: int = 15) -> str:
    """The last lines of a log for an error message, indented."""
    try:
        text = path.read_text(errors="replace")
    except OSError as error:
        return f"    ({error})"
    last = text.splitlines()[-lines:]
    return "\n".join(f"    {line[:400]}" for line in last) or "    (the log is empty)"
