"""Whether the services still accept connections, asked by the relay when a suite has ended with failures.

The kubelet tells of a container's end up to a second late, and a suite whose service has died may be over before.
"""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from seatrial.records import MESSAGE_BYTES, Unreachable, clip

if TYPE_CHECKING:
    from collections.abc import Sequence

CONNECT_SECONDS = 0.5


def find_unreachable(addresses: Sequence[str]) -> list[Unreachable]:
    """Those of the services (`name:port`) that accept no connection within half a second, with what was seen."""
    if not addresses:
        return []
    with ThreadPoolExecutor(len(addresses)) as pool:
        return [answer for answer in pool.map(_ask, addresses) if answer is not None]


def _ask(address: str) -> Unreachable | None:
    name, _, port = address.rpartition(":")
    try:
        socket.create_connection((name, int(port)), CONNECT_SECONDS).close()
    except OSError as error:
        return Unreachable(name, clip(f"{address}: {error.strerror or error}", MESSAGE_BYTES))
    return None
