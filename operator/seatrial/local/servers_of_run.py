"""The backing services of a run: a server is found for each, prepared, and started."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from seatrial.local.containers import data_of, variables_of
from seatrial.local.processes import Process, clear_up
from seatrial.local.scratch import when_full
from seatrial.local.servers import EXTRA_PORTS, Wanted, find_server
from seatrial.naming import CONNECTION_SECRET, NAME_LABEL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from seatrial.local.addresses import LocalAddresses
    from seatrial.local.containers import Surroundings
    from seatrial.local.servers import Launch, Search

Object = dict[str, Any]

PREPARATION_SECONDS = 1.0
"""For what prepares a server to end when it is asked to: PostgreSQL's programs remove their shared memory."""


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
        self._launches: list[Launch] = []

    async def start(self, container: Object, pod: Object, around: Surroundings, output: int) -> tuple[Process, int]:
        """Start a service's server; with the signal that ends it.

        Raises NoServerError when nothing on this machine can be it, NoPortError and OSError.
        """
        service: str = pod["metadata"]["labels"][NAME_LABEL]
        folder = self._data / service
        folder.mkdir(parents=True, mode=0o711)
        extra = {name: self._addresses.take() for name in EXTRA_PORTS.get(service, ())}
        variables = data_of(around.read("Secret", CONNECTION_SECRET))
        wanted = Wanted(
            service=service,
            version=self._versions.get(service),
            address=self._addresses.find(service, container["ports"][0]["containerPort"]),
            folder=folder,
            variables={name: value.decode() for name, value in variables.items()},
            options=variables_of(container, pod, around),
            extra_ports=extra,
            arguments=tuple(container.get("args") or ()),
        )
        launch = await asyncio.to_thread(find_server, wanted, self._search)
        self._tell(service, launch.provider)
        await self._prepare(launch, output)
        if launch.docker is not None:
            launch.docker.note(launch.folder)
        for port in (*self._addresses.ports_of(service).values(), *extra.values()):
            self._addresses.release(port)
        self._launches.append(launch)
        starting = asyncio.create_task(
            Process.start(
                launch.command,
                env=launch.env,
                folder=launch.folder,
                output=output,
                identity=(launch.user, launch.group) if launch.user is not None else None,
                last_signal=launch.stop,
            )
        )
        try:
            return await asyncio.shield(starting), launch.stop
        except asyncio.CancelledError:  # SIGKILL, which asyncio would send, is not how each server is to be ended
            await (await starting).stop(PREPARATION_SECONDS, launch.stop)
            raise

    async def _prepare(self, launch: Launch, output: int) -> None:
        for name, content in launch.files.items():
            path = launch.folder / name
            path.touch(mode=0o600)
            path.write_text(content)
        for command in launch.prepare:
            process = await Process.start(command, env=launch.env, folder=launch.folder, output=output)
            try:
                code = await process.wait()
            except asyncio.CancelledError:
                await process.stop_all(PREPARATION_SECONDS)
                raise
            await process.stop(0)  # what it has left behind
            if code:
                raise PreparationError(
                    f"what prepares {launch.provider} ended with exit code {code}{when_full(launch.folder)}"
                )

    async def clean_up(self) -> None:
        """Remove what servers leave behind that are no processes and no files of theirs."""
        launches, self._launches = self._launches, []
        for launch in launches:
            for command in launch.cleanup:
                await clear_up(command, launch.env, launch.folder)
