"""Running other programs: quiet when they succeed, their last lines when they fail."""

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from images.errors import ImageError

TAIL_LINES = 25


def run(
    arguments: Sequence[str | Path],
    *,
    doing: str,
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a program and return its stdout; `doing` completes the sentence "could not ..." of the error."""
    command = [str(argument) for argument in arguments]
    try:
        done = subprocess.run(
            command,
            cwd=directory,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError as error:
        raise ImageError(f"could not {doing}: the program {command[0]!r} is not on PATH.") from error
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-TAIL_LINES:])
        raise ImageError(
            f"could not {doing}: {command[0]} ended with status {done.returncode}. It said:\n{tail}\n"
            f"The command was: {shlex.join(command)}",
        )
    return done.stdout
