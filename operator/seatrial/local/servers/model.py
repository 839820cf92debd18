"""What is wanted of a server, and how it is started."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from seatrial.errors import SeatrialError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from seatrial.local.servers.docker_client import Docker
    from seatrial.plan import Address


class NoServerError(SeatrialError):
    """No provider fits."""

    def __init__(self, service: str, version: str | None, tried: Sequence[Unfit], advice: str) -> None:
        name = f"{service} {version}" if version else service
        self.tried = "; ".join(f"{unfit.provider}: {unfit.why}" for unfit in tried)
        """Each provider, and why it does not fit."""
        self.advice = advice
        """What to install, or to write instead."""
        super().__init__(
            f"spec.services.{service}: there is no {name} that can be started on this machine. "
            f"What helps: {advice}. Tried: {self.tried}"
        )


@dataclass(frozen=True)
class Wanted:
    """What the plan wants. The ports were free a moment ago; `folder` is the server's own, exists and is empty."""

    service: str
    """kafka, redpanda, redis, postgres or influxdb."""
    version: str | None
    """As in spec.services.X.version: `17` is every 17.x."""
    address: Address
    folder: Path
    """Absolute. When root runs the engine its parents must be passable for others (mode 0711): PostgreSQL's server
    refuses to be root's."""
    variables: Mapping[str, str]
    """The run's connection variables, with secrets drawn."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Variables of the container in the plan's pod, e.g. KAFKA_AUTO_CREATE_TOPICS."""
    extra_ports: Mapping[str, int] = field(default_factory=dict)
    """One for each name in EXTRA_PORTS."""
    arguments: tuple[str, ...] = ()
    """Arguments of the container in the plan's pod."""


@dataclass(frozen=True)
class Launch:
    """How to start a server: `files` are written, then `prepare` is run, then the command, all in `folder`."""

    command: tuple[str, ...]
    """Stays in the foreground; says why when it ends by itself."""
    env: Mapping[str, str]
    """All of the environment, for `prepare`, the command and `cleanup`. Holds secrets."""
    folder: Path
    provider: str
    """For people, e.g. `redis-server 7.0.15 on PATH`."""
    prepare: tuple[tuple[str, ...], ...] = ()
    """Run one after the other before the command, as the engine's own user; each must end with 0, and says on stderr
    why when it does not. Each may be killed at any time."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Name -> content, to be written into `folder` with mode 0600, before `prepare`."""
    user: int | None = None
    """The command, and only it, must run as this user and `group`, without other groups; `prepare` gives them what they
    need of the folder."""
    group: int | None = None
    stop: int = signal.SIGKILL
    """What ends the command at once and leaves nothing behind. PostgreSQL's shared memory outlives SIGKILL."""
    docker: Docker | None = None
    """What the command is a client of: it is to be noted in the folder before the command is run."""
    cleanup: tuple[tuple[str, ...], ...] = ()
    """Run when the command has ended or was killed; they may fail, for what they remove may be gone."""


@dataclass(frozen=True)
class Unfit:
    """A provider that was tried, and why it does not fit."""

    provider: str
    why: str


def matches(wanted: str | None, found: str) -> bool:
    """Whether a version is the one that is wanted: `4.1` is wanted, `4.1.1` is found."""
    return wanted is None or f"{found}.".startswith(f"{wanted}.")


def ordered(version: str) -> tuple[int, ...]:
    """A version as numbers; what is not a number counts as 0."""
    return tuple(int(part) if part.isdecimal() else 0 for part in version.split("."))
