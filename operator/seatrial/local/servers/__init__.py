"""How a backing service's server is found on this machine, and how it is started as a process.

Finding changes nothing: it reads files and asks programs for their versions. What must be made before a server can
start (a data folder, Kafka's jars) is in `Launch.prepare`, as commands that the caller runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from seatrial.local.servers.model import Launch, NoServerError, Wanted
from seatrial.local.servers.search import Search, this_machine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seatrial.local.servers.model import Unfit

__all__ = ["EXTRA_PORTS", "Launch", "NoServerError", "Search", "Wanted", "find_server", "this_machine"]

EXTRA_PORTS: Mapping[str, tuple[str, ...]] = {"kafka": ("controller",), "redpanda": ("registry",)}
"""The keys of `Wanted.extra_ports`, by service."""


def find_server(wanted: Wanted, search: Search) -> Launch:
    """How to start the server that is wanted, by the first provider that fits. Raises NoServerError.

    Takes up to some tens of milliseconds: programs are asked for their versions; 5 s if a Docker daemon hangs.
    """
    # Imported here: the programs of `prepare`, which are in this package too, start sooner without.
    from seatrial.local.servers.providers import ADVICE, PROVIDERS  # noqa: PLC0415

    tried: list[Unfit] = []
    for provider in PROVIDERS[wanted.service]:
        found = provider(wanted, search)
        if isinstance(found, Launch):
            return found
        tried.append(found)
    raise NoServerError(wanted.service, wanted.version, tried, ADVICE[wanted.service])
