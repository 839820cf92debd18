"""Containers as commands of this machine: their variables, their volumes as folders, and what is to be started."""

from __future__ import annotations

import base64
import json
import os
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from seatrial.naming import COMPONENT_LABEL, ENVIRONMENT, NAME_LABEL, RELAY_CONTAINER, SHARD_LABEL, SUITE_CONTAINER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from seatrial.local.images import LocalImage, LocalMapping

Object = dict[str, Any]

AGENT = "seatrial.agent"
_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_]*)\)")
_PORT = re.compile(r"\{([a-z0-9-]+)\}")


@dataclass(frozen=True)
class Command:
    """What is started for a container."""

    arguments: tuple[str, ...]
    env: Mapping[str, str]
    folder: Path
    ask: tuple[str, ...] = ()
    """Comes before a readiness command, where that runs elsewhere."""
    remove: tuple[str, ...] = ()
    """Removes what is left when the command was killed."""


class ContainerConfigError(Exception):
    """A container cannot be made as the pod says."""


class MissingKeyError(ContainerConfigError):
    """A variable refers to something that does not exist."""


@dataclass(frozen=True)
class Surroundings:
    """What a container finds: the objects of its namespace, its volumes and the ports of this machine."""

    read: Callable[[str, str], Object | None]
    """Kind and name -> object of the run's namespace."""
    volumes: Mapping[str, Path]
    """Volume -> folder."""
    ports: Mapping[int, int]
    """Port in the manifest -> where the container is to listen."""
    mapping: LocalMapping
    folder: Path
    """Of the pod's own."""


def expand(text: str, variables: Mapping[str, str]) -> str:
    """References as the kubelet expands them: `$(NAME)`, and `$$` for a dollar. Unknown ones stay as they are."""
    return _REFERENCE.sub(lambda found: "$" if found[1] is None else variables.get(found[1], found[0]), text)


def variables_of(container: Object, pod: Object, around: Surroundings) -> dict[str, str]:
    """The container's own variables. Raises MissingKeyError."""
    variables: dict[str, str] = {}
    for entry in container.get("env") or ():
        source = entry.get("valueFrom")
        if source is None:
            variables[entry["name"]] = expand(entry.get("value", ""), variables)
        elif "fieldRef" in source:
            variables[entry["name"]] = pod["metadata"]["labels"].get(SHARD_LABEL, "0")
        else:
            kind, ref = next(
                (kind, source[key])
                for kind, key in (("Secret", "secretKeyRef"), ("ConfigMap", "configMapKeyRef"))
                if key in source
            )
            data = data_of(around.read(kind, ref["name"]))
            if ref["key"] not in data:
                raise MissingKeyError(f"couldn't find key {ref['key']} in {kind} {ref['name']}")
            variables[entry["name"]] = data[ref["key"]].decode("utf-8", "replace")
    return variables


def data_of(item: Object | None) -> dict[str, bytes]:
    """The content of a ConfigMap or Secret."""
    if item is None:
        return {}
    plain = (item.get("data") or {}) if item["kind"] == "ConfigMap" else (item.get("stringData") or {})
    packed = item.get("binaryData") or {} if item["kind"] == "ConfigMap" else item.get("data") or {}
    return {key: str(value).encode() for key, value in plain.items()} | {
        key: base64.b64decode(value) for key, value in packed.items()
    }


def agent_command(container: Object, pod: Object, around: Surroundings) -> Command:
    """The environment, the relay and the gate: the product's own modules, on the Python that runs this."""
    variables = variables_of(container, pod, around)
    for mount in container.get("volumeMounts") or ():
        folder = str(around.volumes[mount["name"]])
        variables = {name: value.replace(mount["mountPath"], folder) for name, value in variables.items()}
    return Command((sys.executable, *container["command"][1:]), {**_inherited(), **variables}, around.folder)


def image_command(container: Object, pod: Object, around: Surroundings) -> Command:
    """An application, or a suite that is not pytest: the manifest's command, or that of the mapping.

    Raises MappingError, MissingKeyError.
    """
    what = f"{pod['metadata']['labels'][COMPONENT_LABEL]} {pod['metadata']['labels'][NAME_LABEL]}"
    image = around.mapping.find(container["image"], what)
    variables = _with_mapping(variables_of(container, pod, around), container, image, around)
    own = [*(container.get("command") or image.command), *(container.get("args") or ())]
    arguments = [translate(expand(item, variables), container, image, around) for item in own]
    if not arguments:
        from seatrial.local.images import FILE, MappingError  # noqa: PLC0415  (only to refuse)

        raise MappingError(
            f"{what}: what is to be started for the image {container['image']}? Write into {FILE}: "
            f'[images."{image.name}"] command = ["PROGRAM", "ARGUMENT"], or `command` into the manifest'
        )
    if arguments[0] in {"python", "python3"}:
        arguments[0] = image.interpreter or sys.executable
    return Command(tuple(arguments), {**_inherited(), **variables}, image.folder)


def suite_command(container: Object, pod: Object, around: Surroundings) -> Command:
    """The supervisor of a pytest suite. Raises MappingError, MissingKeyError."""
    what = f"suite {pod['metadata']['labels'][NAME_LABEL]}"
    mounts = {item["mountPath"]: around.volumes[item["name"]] for item in container["volumeMounts"]}
    variables = variables_of(container, pod, around)
    working = container.get("workingDir")
    image = None if working in mounts else around.mapping.find(container["image"], what)
    if image is not None:
        variables = _with_mapping(variables, container, image, around)
    interpreter = (image.interpreter if image else None) or sys.executable
    arguments = json.loads(variables["SEATRIAL_PYTEST_ARGS"])
    variables |= {
        "SEATRIAL_RECORDS": translate(variables["SEATRIAL_RECORDS"], container, image, around),
        "SEATRIAL_PYTEST_ARGS": json.dumps([translate(item, container, image, around) for item in arguments]),
        "TMPDIR": str(mounts.get("/tmp", around.folder)),  # noqa: S108  (as the image has it)
    }
    folder = mounts.get(working, image.folder if image else around.folder)
    script = translate(container["command"][1], container, image, around)
    return Command((interpreter, script), {**_inherited(), **variables}, folder)


def translate(text: str, container: Object, image: LocalImage | None, around: Surroundings) -> str:
    """A path of the container as one of this machine; what is no such path stays as it is."""
    for mount in container.get("volumeMounts") or ():
        path = mount["mountPath"]
        if text == path or text.startswith(f"{path}/"):
            return f"{around.volumes[mount['name']]}{text[len(path) :]}"
    file, mark, rest = text.partition("::")
    if image is not None and os.path.isabs(file) and not os.path.exists(file) and (image.folder / file[1:]).exists():  # noqa: PTH110, PTH117
        return f"{image.folder / file[1:]}{mark}{rest}"
    return text


def _with_mapping(
    variables: dict[str, str], container: Object, image: LocalImage, around: Surroundings
) -> dict[str, str]:
    return _outweighed(dict(image.env), variables, container, around)


def placed(container: Object, around: Surroundings, variables: dict[str, str]) -> dict[str, str]:
    """Variables of a container of the image itself: seatrial.toml may tell it where to listen."""
    return _outweighed(dict(around.mapping.variables(container["image"])), variables, container, around)


def _outweighed(
    known: Mapping[str, str], variables: dict[str, str], container: Object, around: Surroundings
) -> dict[str, str]:
    """The mapping's variables, which know the ports of this machine; the manifest's outweigh them but for ports."""
    named = {item["name"]: around.ports.get(item["containerPort"]) for item in container.get("ports") or ()}

    def port(found: re.Match[str]) -> str:
        number = named.get(found[1])
        return found[0] if number is None else str(number)

    return {**known, **variables, **{
        name: _PORT.sub(port, value) for name, value in known.items() if _PORT.search(value)
    }}  # fmt: skip


def _inherited() -> dict[str, str]:
    """The variables of this process but for those of another run, and for what would change how Python runs."""
    ours = ("SEATRIAL_", "PYTEST_", "PYTHONSTARTUP", "COV_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def role_of(container: str, pod: Object) -> str:
    """What a container is: service, agent, suite (pytest) or image."""
    component = pod["metadata"]["labels"][COMPONENT_LABEL]
    if component in {"service", ENVIRONMENT}:
        return "service" if component == "service" else "agent"
    if container in {RELAY_CONTAINER, "gate"}:
        return "agent"
    if container == SUITE_CONTAINER and any(
        item["name"] == "SEATRIAL_PYTEST_ARGS" for item in _containers(pod, container)
    ):
        return "suite"
    return "image"


def _containers(pod: Object, name: str) -> Sequence[Object]:
    found = next(item for item in pod["spec"]["containers"] if item["name"] == name)
    return found.get("env") or ()
