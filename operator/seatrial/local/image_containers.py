"""Applications and suites as containers of their images, where Docker is and no folder stands for the image.

The Docker client in the foreground is the process: it hands signals on, and its exit status is the container's. The
container has the network of this machine, where all else of the run is.
"""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING, Any

from seatrial.local.containers import Command, ContainerConfigError, expand, placed, variables_of
from seatrial.local.images import MappingError
from seatrial.local.processes import Process, clear_up
from seatrial.local.servers.docker_client import LABEL, Docker, find_docker
from seatrial.naming import COMPONENT_LABEL, NAME_LABEL, RUN_UID_LABEL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from seatrial.local.containers import Surroundings
    from seatrial.local.servers import Search

Object = dict[str, Any]

LONGEST_LINE = 32_768
"""Of a file of variables; Docker reads lines of up to 64 KiB."""


class PullError(MappingError):
    """An image is not there and cannot be fetched, which is not tried again."""


class DockerImages:
    """Makes containers of images. `tell` is told which image an application or suite got."""

    def __init__(self, search: Search, tell: Callable[[str, str], None]) -> None:
        self._search = search
        self._tell = tell
        self._found: Docker | str | None = None
        self._users: dict[str, str] = {}
        self._finding = asyncio.Lock()

    async def command(self, container: Object, pod: Object, around: Surroundings, unmapped: MappingError) -> Command:
        """How the container is started. Raises MappingError, ContainerConfigError, PullError, OSError."""
        image = container["image"]
        async with self._finding:
            if self._found is None:
                self._found = await asyncio.to_thread(find_docker, self._search)
            docker = self._found
            if isinstance(docker, str):
                raise MappingError(f"{unmapped}; or start Docker, which runs the image itself ({docker})")
            if image not in self._users:
                self._users[image] = await self._user(docker, image, around.folder)
        labels = pod["metadata"]["labels"]
        command = docker_command(docker, container, pod, around, self._users[image])
        self._tell(f"{labels[COMPONENT_LABEL]} {labels[NAME_LABEL]}", f"{image} in Docker {docker.version}")
        return command

    async def _user(self, docker: Docker, image: str, folder: Path) -> str:
        """The user that an image names, after it was fetched if need be. Raises PullError."""
        inspect = (docker.program, "image", "inspect", "--format", "{{json .Config.User}}", image)
        answer = await asyncio.to_thread(self._search.ask, *inspect)
        if not answer.ok and not self._search.offline:
            await _pull(docker, image, folder)
            answer = await asyncio.to_thread(self._search.ask, *inspect)
        if not answer.ok:
            raise PullError(f'the image "{image}" is not there: {answer.line}')
        return str(json.loads(answer.line) or "")


async def _pull(docker: Docker, image: str, folder: Path) -> None:
    """Fetch an image, which may take long and be broken off. Raises PullError."""
    log = folder / "pull.log"
    with log.open("wb") as output:
        command = (docker.program, "pull", "--quiet", image)
        process = await Process.start(command, env=docker.environment, folder=folder, output=output.fileno())
        try:
            code = await process.wait()
        finally:
            await process.stop(0)
    if code:
        said = log.read_text(errors="replace").splitlines() or ["docker pull said nothing"]
        raise PullError(f'Failed to pull image "{image}": {said[-1]}')


def docker_command(docker: Docker, container: Object, pod: Object, around: Surroundings, image_user: str) -> Command:
    """`docker run` as the kubelet would run the container. Raises ContainerConfigError."""
    variables = placed(container, around, variables_of(container, pod, around))
    file = around.folder / f"{container['name']}.env"
    inherited = _write(file, variables)
    labels = pod["metadata"]["labels"]
    name = f"seatrial-{labels[RUN_UID_LABEL][:8]}-{pod['metadata']['name']}-{container['name']}"
    command, arguments = (
        [expand(item, variables) for item in container.get(field) or ()] for field in ("command", "args")
    )
    options = [
        "--rm",
        "--init",
        f"--name={name}",
        f"--label={RUN_UID_LABEL}={labels[RUN_UID_LABEL]}",
        f"--label={LABEL}={docker.note(around.folder)}",
        "--pull=never",
        "--network=host",
        "--log-driver=none",
        *_security(container, pod, image_user),
        *_mounts(container, pod, around),
        f"--env-file={file}",
        *(f"--env={name}" for name in inherited),
    ]
    if "workingDir" in container:
        options.append(f"--workdir={container['workingDir']}")
    if command:
        options.append(f"--entrypoint={command[0]}")
    return Command(
        (docker.program, "run", *options, container["image"], *command[1:], *arguments),
        {**docker.environment, **inherited},
        around.folder,
        ask=(docker.program, "exec", name),
        remove=(docker.program, "rm", "--force", "--volumes", name),
    )


def _write(file: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """Write variables for Docker to read; those that its format cannot hold are returned."""
    other = {
        name: value
        for name, value in variables.items()
        if {"\n", "\r"} & {*value} or len(value.encode()) > LONGEST_LINE
    }
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as output:
        output.writelines(f"{name}={value}\n" for name, value in variables.items() if name not in other)
    return other


def _security(container: Object, pod: Object, image_user: str) -> Iterator[str]:
    """The security settings of a pod and its container; whom the kubelet refuses is refused in its words."""
    of_pod, own = pod["spec"].get("securityContext") or {}, container.get("securityContext") or {}
    both = {**of_pod, **own}
    if (user := both.get("runAsUser")) is not None:
        yield f"--user={user}:{both.get('runAsGroup', user)}"
    elif both.get("runAsNonRoot"):
        named = image_user.partition(":")[0]
        if not named.isdecimal() and named not in {"", "root"}:
            raise ContainerConfigError(
                f"container has runAsNonRoot and image has non-numeric user ({named}), cannot verify user is non-root"
            )
        if named in {"", "root"} or int(named) == 0:
            raise ContainerConfigError("container has runAsNonRoot and image will run as root")
    if own.get("readOnlyRootFilesystem"):
        yield "--read-only"
    if own.get("allowPrivilegeEscalation") is False:
        yield "--security-opt=no-new-privileges"
    for capability in (own.get("capabilities") or {}).get("drop") or ():
        yield f"--cap-drop={capability}"


def _mounts(container: Object, pod: Object, around: Surroundings) -> Iterator[str]:
    """Volumes where the pod has them: in the container's memory, unless another container has them too."""
    volumes = {item["name"]: item for item in pod["spec"].get("volumes") or ()}
    others = [item for item in _containers(pod) if item["name"] != container["name"]]
    shared = {mount["name"] for item in others for mount in item.get("volumeMounts") or ()}
    for mount in container.get("volumeMounts") or ():
        name, path = mount["name"], mount["mountPath"]
        source, volume = around.volumes[name], volumes[name]
        if "emptyDir" in volume and name not in shared:
            size = str(volume["emptyDir"].get("sizeLimit", "64Mi")).removesuffix("i").lower()
            yield f"--tmpfs={path}:rw,exec,nosuid,nodev,mode=1777,size={size}"
            continue
        if "emptyDir" in volume:
            source.chmod(0o777)  # the image's user is not ours
        else:
            source.chmod(0o755)
            for file in source.iterdir():
                file.chmod(0o644)
        yield f"--mount=type=bind,source={source},target={path}{',readonly' if mount.get('readOnly') else ''}"


def _containers(pod: Object) -> list[Object]:
    return [*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]]


class ContainerProcess(Process):
    """A Docker client in the foreground. When it had to be killed, the container has to be removed."""

    command: Command

    async def stop(self, grace_seconds: float, number: int = 15) -> None:
        await super().stop(grace_seconds, number)
        if self.was_killed:
            await clear_up(self.command.remove, self.command.env, self.command.folder)
