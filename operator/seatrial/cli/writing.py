"""Files that a command writes for its user: whole or not at all, and never over something that was not asked for."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from seatrial.cli.exits import CliError, Exit

STDOUT = Path("-")


def write_text(path: Path, text: str, *, overwrite: bool = True) -> None:
    """Write a file, `-` for standard output. Raises CliError that names the file and what to do."""
    if path == STDOUT:
        sys.stdout.write(text)
        return
    if not overwrite and path.exists():
        raise CliError(f"{path} exists already: --force replaces it", Exit.USAGE)
    draft = None
    try:
        if path.is_dir():
            raise CliError(f"{path} is a folder: name a file in it", Exit.USAGE)
        if path.exists() and not path.is_file():  # a pipe, a device: nothing that could be replaced
            path.write_text(text, encoding="utf-8")
            return
        descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        mask = os.umask(0)
        os.umask(mask)
        Path(draft).chmod(0o666 & ~mask)
        Path(draft).replace(path)
    except OSError as error:
        if draft is not None:
            with suppress(OSError):
                Path(draft).unlink()
        raise CliError(f"{path} cannot be written: {error.strerror or error}") from None
