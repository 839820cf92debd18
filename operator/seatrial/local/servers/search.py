"""What finding looks at."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ANSWER_SECONDS = 5.0
_DISTRIBUTIONS = (
    "/usr/lib/postgresql/*/bin",  # Debian
    "/usr/pgsql-*/bin",  # PostgreSQL's own packages for Red Hat
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)


@dataclass(frozen=True)
class Search:
    """The machine, as finding sees it."""

    environment: Mapping[str, str]
    """PATH, JAVA_HOME, KAFKA_HOME; and what the servers' own environments are made of."""
    cache: Path
    """Where what took long to make is kept for later runs."""
    wheels: Callable[[str], Path | None]
    """Name of a package -> its folder, if it can be imported."""
    postgres_folders: tuple[Path, ...] = ()
    """Where distributions keep PostgreSQL's programs, off the PATH."""
    user: int = 0
    """Effective user id."""
    offline: bool = False
    """Whether nothing may be fetched."""

    def program(self, name: str) -> Path | None:
        """A program on PATH."""
        found = shutil.which(name, path=self.environment.get("PATH", ""))
        return Path(found) if found else None

    def ask(self, *command: str | Path) -> Answer:
        """What a program prints."""
        return ask([str(word) for word in command], self.environment)


@dataclass(frozen=True)
class Answer:
    """What a program printed, without white space around it, and whether it ended with 0."""

    ok: bool
    text: str

    @property
    def line(self) -> str:
        """The last line, where programs say why they failed."""
        return self.text.splitlines()[-1] if self.text else "it said nothing"


def ask(command: Sequence[str], environment: Mapping[str, str]) -> Answer:
    """Run a program that answers at once."""
    try:
        done = subprocess.run(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=ANSWER_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Answer(ok=False, text=f"no answer within {ANSWER_SECONDS:g} s")
    except OSError as error:
        return Answer(ok=False, text=error.strerror or type(error).__name__)
    return Answer(ok=done.returncode == 0, text=done.stdout.decode(errors="replace").strip())


def this_machine(*, offline: bool = False) -> Search:
    """Where this process runs, with its environment and the packages beside it."""
    return Search(
        environment=dict(os.environ),
        cache=cache_folder(os.environ),
        wheels=wheel,
        postgres_folders=tuple(folder for pattern in _DISTRIBUTIONS for folder in Path("/").glob(pattern[1:])),
        user=os.geteuid(),
        offline=offline,
    )


def cache_folder(environment: Mapping[str, str]) -> Path:
    """`$XDG_CACHE_HOME/seatrial/servers`, absolute; beside the temporary files for a user without a home."""
    root = environment.get("XDG_CACHE_HOME", "")
    if Path(root).is_absolute():
        return Path(root, "seatrial", "servers")
    try:
        return Path.home() / ".cache/seatrial/servers"
    except RuntimeError:
        return Path(tempfile.gettempdir(), f"seatrial-{os.geteuid()}", "servers")


def wheel(package: str) -> Path | None:
    """Folder of a package that is installed beside this one."""
    spec = find_spec(package)
    return Path(spec.origin).parent if spec and spec.origin else None
