"""The pods of a run's environment, and how a shell or a port of theirs is reached. Pure but for `kubectl`."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from seatrial.cli.exits import CliError, Exit, exit_of
from seatrial.naming import COMPONENT_LABEL, NAME_LABEL, RUN_UID_LABEL, SHARD_LABEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seatrial.cli.cluster import RunCluster
    from seatrial.cli.options import Where

Object = dict[str, Any]

KINDS = {"suite": "suites", "service": "services", "application": "applications"}
"""Components and where the status lists them."""


@dataclass(frozen=True)
class Part:
    """A part of an environment: a suite, a service or an application, or all of a kind."""

    component: str
    name: str = ""
    shard: int | None = None

    def __str__(self) -> str:
        shard = "" if self.shard is None else f" shard {self.shard}"
        return f"{self.component} {self.name}{shard}" if self.name else f"{self.component}s"


def part_of(suite: str, service: str, app: str, shard: int | None) -> Part | None:
    """The part that the options name; None when they name none. Raises CliError when they name two."""
    named = [("suite", suite), ("service", service), ("application", app)]
    given = [Part(component, name, shard) for component, name in named if name]
    if len(given) > 1:
        raise CliError("--suite, --service and --app are about one part each: give one of them", Exit.USAGE)
    if shard is not None and not suite:
        raise CliError("--shard goes with --suite", Exit.USAGE)
    return given[0] if given else None


def check_known(status: Object, part: Part) -> None:
    """Raise CliError, with the names that there are, for a part that the run does not have."""
    names = [str(item["name"]) for item in status.get(KINDS[part.component]) or ()]
    if names and part.name and part.name not in names:
        others = ", ".join(names)
        raise CliError(f"the run has no {part.component} {part.name}; it has: {others}", Exit.USAGE)


def named_part(status: Object, name: str) -> Part:
    """The service or application of that name. Raises CliError with the names that there are."""
    found: list[str] = []
    for component in ("service", "application"):
        names = [str(item["name"]) for item in status.get(KINDS[component]) or ()]
        if name in names:
            return Part(component, name)
        found += names
    raise CliError(f"the run has no service or application {name}; it has: {', '.join(found) or 'none'}", Exit.USAGE)


def selector(uid: str, part: Part) -> str:
    """Label selector of the pods of a part."""
    labels = [f"{RUN_UID_LABEL}={uid}", f"{COMPONENT_LABEL}={part.component}"]
    if part.name:
        labels.append(f"{NAME_LABEL}={part.name}")
    if part.shard is not None:
        labels.append(f"{SHARD_LABEL}={part.shard}")
    return ",".join(labels)


def environment_of(run: Object, flags: str) -> str:
    """The namespace of a run's environment. Raises CliError that says why there is none and how to keep the next."""
    status, name = run.get("status") or {}, run["metadata"]["name"]
    conditions = {item["type"]: item for item in status.get("conditions") or ()}
    cleaned = conditions.get("EnvironmentCleaned", {})
    over = exit_of(status)
    if not status.get("namespace"):
        phase = status.get("phase") or "no operator has seen it"
        why = "never had one" if over is not None else f"has none yet ({phase})"
        raise CliError(f"the environment of {name} is not there: the run {why}; see: seatrial status {name}{flags}")
    if over is not None and cleaned.get("reason") != "Retained":
        key = "onSuccess" if over is Exit.PASSED else "onFailure"
        raise CliError(
            f"the environment of {name} is gone: {cleaned.get('message') or 'it is not kept'}. To keep the next one, "
            f"write `retention: {{{key}: 30m}}` into the spec; while it is there, `seatrial extend {name} 30m{flags}` "
            "keeps it longer"
        )
    return str(status["namespace"])


async def pods_of(cluster: RunCluster, run: Object, part: Part) -> list[Object]:
    """The pods of a part, by suite and shard. Raises CliError when there is none."""
    namespace = environment_of(run, cluster.where.flags)
    check_known(run.get("status") or {}, part)
    pods = await cluster.pods(namespace, selector(run["metadata"]["uid"], part))
    if not pods:
        raise CliError(f"there is no pod of {part} in namespace {namespace}: it has not started, or is gone already")
    return sorted(pods, key=_order)


def _order(pod: Object) -> tuple[str, int, str]:
    labels = pod["metadata"].get("labels") or {}
    return labels.get(NAME_LABEL, ""), int(labels.get(SHARD_LABEL, 0)), pod["metadata"]["name"]


def is_running(pod: Object) -> bool:
    """Whether a command can be run in the pod's own container."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    container = pod["spec"]["containers"][0]["name"]
    return any(item["name"] == container and "running" in (item.get("state") or {}) for item in statuses)


def run_kubectl(where: Where, arguments: Sequence[str]) -> NoReturn:
    """Become kubectl with the same cluster. Raises CliError when it is not there."""
    path = shutil.which("kubectl")
    if path is None:
        raise CliError("kubectl is not on the PATH: install it (https://kubernetes.io/docs/tasks/tools/)")
    chosen = [
        *(["--kubeconfig", str(where.kubeconfig)] if where.kubeconfig else []),
        *(["--context", where.context] if where.context else []),
    ]
    os.execv(path, ["kubectl", *chosen, *arguments])  # noqa: S606  (a program by its full path, without a shell)
