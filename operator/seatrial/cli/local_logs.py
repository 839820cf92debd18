"""Logs of a run on this machine: files in its folder."""

from __future__ import annotations

import re
import sys
import time
from typing import TYPE_CHECKING

from seatrial.cli.exits import CliError, Exit, exit_of
from seatrial.cli.records import log_files, read_record

if TYPE_CHECKING:
    from pathlib import Path

    from seatrial.cli.environment import Part

LOOK_SECONDS = 0.2
"""Between two looks at a log that is followed."""


def print_local_logs(folder: Path, part: Part, *, follow: bool) -> None:
    """Print the logs of a part. Raises CliError with the logs that there are."""
    files = files_of(log_files(folder), part)
    if follow and len(files) > 1:
        raise CliError(
            f"{len(files)} logs cannot be followed at once here: choose one with --suite and --shard", Exit.USAGE
        )
    for title, path in files.items():
        if len(files) > 1:
            print(f"==> {title} <==", flush=True)
        _print(folder, path, follow=follow)


def files_of(files: dict[str, Path], part: Part) -> dict[str, Path]:
    """The logs of a part by their names. Raises CliError with the logs that there are. Pure."""
    name = re.escape(part.name) if part.name else ".+?"
    shard = r"(-\d+)?" if part.shard is None else f"-{part.shard}"
    pattern = re.compile(f"{part.component}-{name}{shard if part.component == 'suite' else ''}")
    found = {key: path for key, path in files.items() if pattern.fullmatch(key) and not key.endswith("-relay")}
    if not found:
        raise CliError(f"there is no log of {part}; there are: {', '.join(files) or 'none'}", Exit.USAGE)
    return found


def _print(folder: Path, path: Path, *, follow: bool) -> None:
    with path.open("rb") as file:
        while True:
            over = not follow or exit_of(read_record(folder).status) is not None
            while chunk := file.read(65_536):
                sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
            if over:
                return
            time.sleep(LOOK_SECONDS)
