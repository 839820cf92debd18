"""The programs of `Launch.prepare`: how they are called, and what they say when they fail."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import seatrial
from seatrial.errors import SeatrialError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SHOWN_LINES = 20


class PrepareError(SeatrialError):
    """Something that a server needs could not be made."""


def program(name: str, *arguments: object, packages: bool = True) -> tuple[str, ...]:
    """The command of a module beside this one. Without other packages than this one it starts sooner."""
    site = () if packages else ("-S",)
    return (sys.executable, *site, "-m", f"{__package__}.{name}", *map(str, arguments))


def environment(search_environment: Mapping[str, str]) -> dict[str, str]:
    """With it, `program` finds its module whichever way this package came to be importable."""
    path = [str(Path(seatrial.__file__).parents[1]), search_environment.get("PYTHONPATH", "")]
    return {**search_environment, "PYTHONPATH": os.pathsep.join(part for part in path if part)}


def run(
    command: Sequence[object],
    *,
    doing: str,
    given: str = "",
    user: int | None = None,
    group: int | None = None,
    cwd: Path | None = None,
) -> None:
    """Run a command of strings and paths to its end; `doing` is what it is for, e.g. `initdb`.

    Raises PrepareError with its last words.
    """
    words = [str(word) for word in command]
    others: tuple[int, ...] | None = None if user is None else ()
    try:
        done = subprocess.run(
            words,
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            user=user,
            group=group,
            extra_groups=others,
            cwd=cwd,
            check=False,
        )
    except OSError as error:
        raise PrepareError(f"{doing} failed: {words[0]}: {error.strerror or error}") from None
    if done.returncode:
        raise PrepareError(f"{doing} failed ({ended(done.returncode)}):\n{last_lines(done.stdout)}")


def ended(status: int) -> str:
    """For people."""
    return f"killed by signal {-status}" if status < 0 else f"exit {status}"


def last_lines(text: str) -> str:
    """The end of what a program said."""
    return "\n".join(text.strip().splitlines()[-SHOWN_LINES:]) or "it said nothing"


def main(body: Callable[[], None]) -> None:
    """Do it; what goes wrong is said in words, and ends with 1."""
    try:
        body()
    except (SeatrialError, OSError) as error:
        sys.exit(f"error: {error}")
