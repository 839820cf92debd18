"""Ports for what the suite starts on its own."""

from __future__ import annotations

import random
import socket

PORTS = range(20_000, 32_000)
"""Below those that systems give to outgoing connections, which would take one between the look and its use."""


def free_port() -> int:
    """A port of 127.0.0.1 that was free a moment ago. Raises OSError when no port is."""
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as free:
            try:
                free.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"no port from {PORTS.start} to {PORTS.stop - 1} is free")
