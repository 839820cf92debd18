"""Program: make the data folder of one run in the current folder, from a template in the cache.

initdb takes a second, a copy of what it makes a fiftieth of that. The template has the run's role and its database;
the password is set in the copy.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

from seatrial.local.servers import programs
from seatrial.local.servers.cache import making
from seatrial.local.servers.postgres_settings import initdb_options, password, role

DATA = Path("data")
FRESH = Path("fresh")


@dataclass(frozen=True)
class Tools:
    """Where the programs are, and who runs them: user and group, None for whoever runs this."""

    folder: Path
    major: int
    user: int | None
    group: int | None

    def own(self, path: Path) -> None:
        """Give something to who runs the programs."""
        if self.user is not None:
            programs.run(
                ("chown", "-R", f"{self.user}:{self.group}", path), doing=f"giving {path} to the server's user"
            )

    def initdb(self, folder: Path) -> None:
        options = initdb_options(self.major, platform.system())
        command = (self.folder / "initdb", f"--pgdata={folder}", *options)
        programs.run(command, doing="initdb", user=self.user, group=self.group)

    def execute(self, statements: str, folder: Path) -> None:
        """Statements by the superuser, without a server. An error shows no statement: it has the password."""
        options = ("fsync=off", "shared_buffers=1MB", "exit_on_error=on", "log_min_error_statement=panic")
        quiet = ("log_min_messages=warning", "log_checkpoints=off", "dynamic_shared_memory_type=mmap")
        words = [word for option in (*options, *quiet) for word in ("-c", option)]
        command = (self.folder / "postgres", "--single", "-D", folder, *words, "postgres")
        programs.run(command, doing="setting up the database", given=statements, user=self.user, group=self.group)


def main() -> None:
    """Raises CacheError, PrepareError, OSError."""
    parser = argparse.ArgumentParser(prog="postgres_data", description=__doc__)
    parser.add_argument("programs", type=Path, help="the folder of initdb and postgres")
    parser.add_argument("major", type=int, help="their version")
    parser.add_argument("entry", type=Path, help="the template in the cache")
    parser.add_argument("--owner", metavar="USER:GROUP", help="who runs the server; only root can say so")
    parser.add_argument("--copy", type=Path, metavar="PACKAGE", help="copy this package to ./programs first")
    options = parser.parse_args()
    user, group = map(int, options.owner.split(":")) if options.owner else (None, None)
    tools = Tools(options.programs, options.major, user, group)
    if user is not None and group is not None:
        os.chown(".", user, group)
    if options.copy:
        _copy_programs(options.copy)
    with making(options.entry) as template:
        if template is not None:
            print("Preparing quick starts of PostgreSQL, once for this version", flush=True)
            tools.initdb(FRESH)
            tools.execute(role(os.environ["DATABASE_USER"], os.environ["DATABASE_NAME"]), FRESH)
            _copy(FRESH, template / DATA)
            shutil.rmtree(FRESH)
    _copy(options.entry / DATA, DATA)
    tools.own(DATA)
    tools.execute(password(os.environ["DATABASE_USER"], os.environ["DATABASE_PASSWORD"]), DATA)


def _copy(source: Path, target: Path) -> None:
    """By the program, which takes a tenth of the time that Python takes for a thousand files."""
    programs.run(("cp", "-R", source, target), doing=f"copying PostgreSQL's data folder to {target.absolute()}")
    target.chmod(0o700)


def _copy_programs(package: Path) -> None:
    """The package, and beside it the folder of its libraries."""
    target = Path("programs")
    target.mkdir()
    for folder in (package, package.with_name(f"{package.name}.libs")):
        if folder.is_dir():
            programs.run(("cp", "-R", folder, target), doing=f"copying {folder.name}")


if __name__ == "__main__":
    programs.main(main)
