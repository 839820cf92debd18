"""The backing services of a run: a server is found for each, prepared, and started."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from seatrial.local.containers import data_of, variables_of
from seatrial.local.images import MappingError
from seatrial.local.processes import Process
from seatrial.local.servers import NoServerError, Wanted, find_server
from seatrial.naming import CONNECTION_SECRET, NAME_LABEL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from seatrial.local.addresses import LocalAddresses
    from seatrial.local.containers import Surroundings
    from seatrial.local.servers import Search

logger = logging.getLogger(__name__)

Object = dict[str, Any]


class PreparationError(OSError):
    """A command that has to come before the server has failed."""


class Servers:
    """Finds and starts servers. `tell` is told which provider a service got."""

    def __init__(
        self,
        search: Search,
        versions: Mapping[str, str | None],
        addresses: LocalAddresses,
        data: Path,
        tell: Callable[[str, str], None],
    ) -> None:
        self._search = search
        self._versions = versions
        self._addresses = addresses
        self._data = data
        self._tell = tell

    async def start(self, container: Object, pod: Object, around: Surroundings, output: int) -> Process:
        """Start a service's server. Raises MappingError when nothing on this machine can be it, OSError."""
        service: str = pod["metadata"]["labels"][NAME_LABEL]
        port = container["ports"][0]["containerPort"]
        folder = self._data / service
        folder.mkdir(parents=True)
        wanted = Wanted(
            service=service,
            version=self._versions.get(service),
            address=self._addresses.find(service, port),
            folder=folder,
            variables={
                name: value.decode() for name, value in data_of(around.read("Secret", CONNECTION_SECRET)).items()
            },
            options=variables_of(container, pod, around),
        )
        try:
            launch = await asyncio.to_thread(find_server, wanted, self._search)
        except NoServerError as error:
            raise MappingError(str(error)) from None
        self._tell(service, launch.provider)
        for command in launch.prepare:
            process = await Process.start(
                command, env=launch.env, folder=launch.folder, output=output, user=launch.user
            )
            if code := await process.wait():
                raise PreparationError(f"{command[0]} ended with exit code {code}")
        for owned in self._addresses.ports_of(service).values():
            self._addresses.release(owned)
        return await Process.start(
            launch.command, env=launch.env, folder=launch.folder, output=output, user=launch.user
        )
