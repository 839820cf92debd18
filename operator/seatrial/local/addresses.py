"""Free ports of this machine for what has every port to itself in a pod."""

from __future__ import annotations

import random
import socket
from typing import TYPE_CHECKING

from seatrial.plan import Address, PlanError

if TYPE_CHECKING:
    from pathlib import Path

HOST = "127.0.0.1"
PORTS = range(20_000, 32_000)
"""Below those that systems give to outgoing connections (from 32,768 on Linux, from 49,152 elsewhere)."""


class NoPortError(PlanError):
    """Every port that was tried is taken."""

    def __init__(self) -> None:
        super().__init__(
            "NoPort",
            f"no port from {PORTS.start} to {PORTS.stop - 1} of {HOST} is free: end what listens there; "
            "`ss -tlnp` shows it",
        )


class TakenPortError(PlanError):
    """The port that an image listens on is taken."""

    def __init__(self, name: str, port: int, why: str) -> None:
        super().__init__(
            "NoPort",
            f"application {name}: its image listens on port {port} of this machine, where nothing else can: {why}; "
            f"`ss -tlnp` shows what does. Or tell the image to listen elsewhere, in seatrial.toml: "
            '[images."IMAGE"] env = { VARIABLE = "{NAME OF THE PORT}" }',
        )


def hold_free_port() -> socket.socket:
    """A socket on a free port, which nobody else is given until it is closed. Raises NoPortError."""
    for port in random.sample(PORTS, len(PORTS)):
        held = socket.socket()
        try:
            held.bind((HOST, port))
        except OSError:
            held.close()
        else:
            return held
    raise NoPortError


class LocalAddresses:
    """Gives each port of a run one of this machine's, which is the run's own as long as this object holds it."""

    def __init__(self, folder: Path, own: frozenset[tuple[str, int]] = frozenset()) -> None:
        """`own` are the ports that stay what they are, with whose they are."""
        self._folder = folder
        self._own = own
        self._found: dict[tuple[str, int], Address] = {}
        self._held: dict[int, socket.socket] = {}

    def find(self, name: str, port: int) -> Address:
        if (name, port) not in self._found:
            number = self._take_own(name, port) if (name, port) in self._own else self.take()
            self._found[name, port] = Address(HOST, number)
        return self._found[name, port]

    def ready_file(self, application: str) -> str | None:
        return str(self._folder / f"{application}.ready")

    def ports_of(self, name: str) -> dict[int, int]:
        """Those ports of a name that have been asked for: the one in the plan, and where it is."""
        return {port: address.port for (owner, port), address in self._found.items() if owner == name}

    def take(self) -> int:
        """A free port. It is held, so that nobody else is given it, until `release`."""
        held = hold_free_port()
        port: int = held.getsockname()[1]
        self._held[port] = held
        return port

    def _take_own(self, name: str, port: int) -> int:
        held = socket.socket()
        # It is the same one in each run: connections of the last one may be in TIME_WAIT.
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            held.bind((HOST, port))
        except OSError as error:
            held.close()
            raise TakenPortError(name, port, error.strerror or str(error)) from None
        self._held[port] = held
        return port

    def release(self, port: int) -> None:
        """Let go of a port, right before the process starts that is to listen there."""
        if (held := self._held.pop(port, None)) is not None:
            held.close()

    def close(self) -> None:
        for port in list(self._held):
            self.release(port)
