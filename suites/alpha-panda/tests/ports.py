"""Ports for what the suite starts on its own."""

from __future__ import annotations

import random
import socket
from typing import Final

PORTS: Final = range(20_000, 32_000)
"""Below those that systems give to outgoing connections, which would take one between the look and its use."""
_held: Final[list[socket.socket]] = []
"""Until this process ends: what is killed comes back on its port."""


def own_port() -> int:
    """A port of 127.0.0.1 that nobody else is given; servers can listen there, since they set SO_REUSEADDR.

    Raises OSError when no port is free.
    """
    for port in random.sample(PORTS, len(PORTS)):
        held = socket.socket()
        try:
            held.bind(("127.0.0.1", port))
        except OSError:
            held.close()
            continue
        # Only now: otherwise another copy of the suite could hold it, too.
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _held.append(held)
        return port
    raise OSError(f"no port from {PORTS.start} to {PORTS.stop - 1} is free")
