"""One pod as processes: its sidecars, then its init containers, then the container that it is there for."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import shutil
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from seatrial.local.addresses import NoPortError
from seatrial.local.containers import (
    ContainerConfigError,
    Surroundings,
    agent_command,
    data_of,
    image_command,
    role_of,
    suite_command,
)
from seatrial.local.image_containers import ContainerProcess
from seatrial.local.images import MappingError
from seatrial.local.output import FileOutput, LineOutput
from seatrial.local.processes import Process
from seatrial.local.scratch import when_full
from seatrial.local.servers import NoServerError
from seatrial.local.statuses import running, status_of, terminated, waiting
from seatrial.naming import COMPONENT_LABEL, NAME_LABEL, SUITE_CONTAINER

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from seatrial.local.containers import Command
    from seatrial.local.image_containers import DockerImages
    from seatrial.local.servers_of_run import Servers
    from seatrial.local.store import Store

logger = logging.getLogger(__name__)

Object = dict[str, Any]

PROBE_SECONDS = 1.0
STOP_SECONDS = 1.0


class LocalPod:
    """A pod of a run on this machine. Its status is written into the store whenever it changes."""

    def __init__(  # noqa: PLR0917  (made in one place)
        self,
        body: Object,
        store: Store,
        around: Surroundings,
        logs: Path,
        servers: Servers,
        images: DockerImages,
    ) -> None:
        self.namespace: str = body["metadata"]["namespace"]
        self.name: str = body["metadata"]["name"]
        self.component: str = body["metadata"]["labels"][COMPONENT_LABEL]
        self.role: str = body["metadata"]["labels"][NAME_LABEL]
        self.outputs: dict[str, FileOutput | LineOutput] = {}
        self._body = body
        self._store = store
        self._around = around
        self._logs = logs
        self._servers = servers
        self._images = images
        spec = body["spec"]
        self._init: list[Object] = spec.get("initContainers") or []
        self._containers: list[Object] = spec["containers"]
        self._states: dict[str, Object] = {
            item["name"]: waiting("ContainerCreating") for item in (*self._init, *self._containers)
        }
        self._processes: dict[str, Process] = {}
        self._commands: dict[str, Command] = {}
        self._stopping = False
        self._stop_signal: int = signal.SIGTERM

    async def run(self) -> None:
        """From the first container to the last. What goes wrong is in the pod's status."""
        current = self._containers[0]
        try:
            self._make_volumes()
            for current in self._init:
                await self._start(current)
                if current.get("restartPolicy") != "Always":
                    code = await self._end(current)
                    if code:
                        return
            for current in self._containers:
                await self._start(current)
            async with asyncio.TaskGroup() as group:
                probing = group.create_task(self._probe())
                for current in self._containers:
                    await self._end(current)
                probing.cancel()
            for current in reversed(self._init):
                if current.get("restartPolicy") == "Always":
                    self._processes[current["name"]].terminate()
                    await self._end(current)
        except MappingError as error:
            self._set(current, waiting("ErrImageNeverPull", str(error)))
        except ContainerConfigError as error:
            self._set(current, waiting("CreateContainerConfigError", str(error)))
        except OSError as error:
            said = f"{error.strerror}{when_full(self._around.folder)}" if error.errno == errno.ENOSPC else f"{error}"
            self._set(current, terminated(128, "StartError", said))
        except (ValueError, NoPortError, NoServerError) as error:
            self._set(current, terminated(128, "StartError", f"{error}"))

    def _make_volumes(self) -> None:
        for volume in self._body["spec"].get("volumes") or ():
            folder = self._around.volumes[volume["name"]]
            folder.mkdir(parents=True, exist_ok=True)
            if "configMap" in volume:
                for key, content in data_of(self._around.read("ConfigMap", volume["configMap"]["name"])).items():
                    (folder / key).write_bytes(content)

    async def _start(self, container: Object) -> None:
        name, role = container["name"], role_of(container["name"], self._body)
        output = self._open(name, lines=role == "agent")
        try:
            if role == "service":
                started = await self._servers.start(container, self._body, self._around, output.end)
                self._processes[name], self._stop_signal = started
            else:
                self._commands[name] = command = await self._command(container, role)
                self._processes[name] = await _start_as(command, output.end)
        finally:
            output.close()
        self._set(container, running())

    async def _command(self, container: Object, role: str) -> Command:
        makers: dict[str, Callable[[Object, Object, Surroundings], Command]] = {
            "agent": agent_command,
            "suite": suite_command,
            "image": image_command,
        }
        try:
            return makers[role](container, self._body, self._around)
        except MappingError as error:
            if self._around.mapping.has(container["image"]):
                raise
            return await self._images.command(container, self._body, self._around, error)

    def _open(self, container: str, *, lines: bool) -> FileOutput | LineOutput:
        name = f"{self.component}-{self.role}"
        if self.component == "suite":
            name = f"{self.name}-{container}" if container != SUITE_CONTAINER else self.name
        path = self._logs / f"{name}.log"
        self.outputs[container] = LineOutput(path) if lines else FileOutput(path)
        return self.outputs[container]

    async def _end(self, container: Object) -> int:
        name = container["name"]
        code = await self._processes[name].wait()
        if not self._stopping:
            # What it has left behind would keep the ports of the run, and write into the records of its suite.
            await self._processes[name].stop(0)
            self._set(container, terminated(code))
        return code

    async def _probe(self) -> None:
        """An application without a port to ask: ready when its command says so, or as long as it runs."""
        if self.component != "application":
            return
        file = self._around.folder.parent / f"{self.role}.ready"
        probe = (self._containers[0].get("readinessProbe") or {}).get("exec")
        command = self._commands[self._containers[0]["name"]]
        try:
            while True:
                code = 0 if probe is None else await self._ask(probe["command"], command)
                if code == 0:
                    file.touch()
                else:
                    file.unlink(missing_ok=True)
                await asyncio.sleep(PROBE_SECONDS)
        finally:
            file.unlink(missing_ok=True)

    async def _ask(self, probe: list[str], command: Command) -> int:
        """Run an application's readiness command beside it; its exit status."""
        with suppress(OSError):
            log = self._open("probe", lines=False)
            try:
                process = await Process.start(
                    [*command.ask, *probe], env=command.env, folder=command.folder, output=log.end
                )
            except OSError as error:
                os.write(log.end, f"{probe[0]}: {error.strerror}\n".encode())
                return 127
            finally:
                log.close()
            try:
                return await process.wait()
            finally:
                await process.stop(0)
        return 127

    def _set(self, container: Object, state: Object) -> None:
        self._states[container["name"]] = state
        self._store.put(self._body | {"status": status_of(self._init, self._containers, self._states)})

    async def stop(self) -> None:
        """End every process, the container that the pod is there for last: a relay has something left to say."""
        self._stopping = True
        await asyncio.gather(*(process.stop(STOP_SECONDS, self._stop_signal) for process in self._processes.values()))
        for output in self.outputs.values():
            if isinstance(output, LineOutput):
                output.finish()
        shutil.rmtree(self._around.folder, ignore_errors=True)


async def _start_as(command: Command, output: int) -> Process:
    """Start a container: as a process of this machine, or as one of Docker's."""
    if not command.remove:
        return await Process.start(command.arguments, env=command.env, folder=command.folder, output=output)
    process = await ContainerProcess.start(
        command.arguments, env=command.env, folder=command.folder, output=output, last_signal=signal.SIGTERM
    )
    process.command = command
    return process
