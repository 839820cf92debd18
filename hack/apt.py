"""Packages of Debian and Ubuntu."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SHOWN_LINES = 15


class AptError(Exception):
    """apt-get has failed; with its last words."""


def install(packages: Sequence[str]) -> None:
    """Install packages, without asking and without what they only recommend. Needs root. Raises AptError."""
    _after_update("install", "-q", "-y", "--no-install-recommends", *packages)


def download(packages: Sequence[str], folder: Path) -> None:
    """Fetch the files of packages, without what they depend on, into a folder. Raises AptError."""
    _after_update("download", "-q", *packages, folder=folder)


def _after_update(*arguments: str, folder: Path | None = None) -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-q"], ["apt-get", *arguments]):
        done = subprocess.run(
            command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode:
            tail = "\n".join((done.stdout + done.stderr).splitlines()[-SHOWN_LINES:])
            raise AptError(f"`{' '.join(command)}` exited with status {done.returncode}:\n{tail}")
