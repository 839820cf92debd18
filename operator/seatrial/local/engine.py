"""One TestRun on this machine: the operator's own reconciler, with processes in the place of pods."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from seatrial.api.status import TERMINAL_PHASES
from seatrial.conditions import TRUE
from seatrial.inpod import read_inpod_files
from seatrial.local.addresses import LocalAddresses
from seatrial.local.cluster import TESTRUN, LocalCluster
from seatrial.local.image_containers import DockerImages
from seatrial.local.node import Node
from seatrial.local.servers_of_run import Servers
from seatrial.local.store import Store
from seatrial.naming import FINALIZER, RunId, run_namespace
from seatrial.reconcile import Run, Tools
from seatrial.report import parse_status
from seatrial.settings import Settings
from seatrial.slots import Slots
from seatrial.status import Moment, mark_cleaned

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from seatrial.local.images import LocalMapping
    from seatrial.local.servers import Search

Object = dict[str, Any]

SERVICES = ("kafka", "redpanda", "redis", "postgres", "influxdb")
SLICE = "TestResultSlice"
OWN_IMAGE = "seatrial"
SUITE_IMAGE = "seatrial/suite"


@dataclass(frozen=True)
class LocalRun:
    """What came of a run, as the API server would hold it."""

    body: Object
    """The TestRun with its status."""
    slices: list[Object]


@dataclass(frozen=True)
class Folders:
    """Where a run lives."""

    scratch: Path
    """Data of servers, volumes of pods; removed in the end."""
    logs: Callable[[Object], Path]
    """Where the logs of a TestRun are kept."""


async def run_locally(  # noqa: PLR0917  (called in one place)
    manifest: Object,
    objects: Sequence[Object],
    folders: Folders,
    mapping: LocalMapping,
    search: Search,
    on_change: Callable[[Object], None],
    tell: Callable[[str, str], None],
    cancelled: asyncio.Event,
) -> LocalRun:
    """Execute a TestRun until its verdict; then every process is ended.

    `objects` are the ConfigMaps and Secrets of its namespace. `on_change` is called with the TestRun and with
    each of its TestResultSlices when they have changed; what it raises ends the run, and is raised here. `tell` is
    called with each service and the provider that it got. `cancelled` cancels the run.
    """
    store = Store()
    body = _admit(store, manifest)
    for item in objects:
        store.put({**item, "metadata": {"namespace": body["metadata"]["namespace"], **item["metadata"]}})
    metadata = body["metadata"]
    run = RunId(metadata["name"], metadata["namespace"], metadata["uid"])
    addresses = LocalAddresses(folders.scratch, _own_ports(body["spec"], mapping))
    wanted = {name: value or {} for name, value in (body["spec"].get("services") or {}).items()}
    versions = {name: value.get("version") for name, value in wanted.items()}
    servers = Servers(search, versions, addresses, folders.scratch / "data", tell)
    images = DockerImages(search, tell)
    node = Node(store, folders.scratch, folders.logs(body), addresses, mapping, servers, images)
    cluster = LocalCluster(store, node, servers)
    tools = Tools(cluster, _settings(versions), cluster, Slots(1), read_inpod_files(), addresses)
    reconciler = Run(body, tools)

    def read() -> Object:
        return store.get(TESTRUN, run.namespace, run.name) or body

    work = asyncio.create_task(reconciler.run(read))
    broken: list[Exception] = []

    def seen(item: Object) -> None:
        reconciler.wake.set()
        if item["kind"] in {TESTRUN, SLICE} and not broken:
            try:
                on_change(item)
            except Exception as error:  # noqa: BLE001  (it is raised below: who has written the object is not to blame)
                broken.append(error)
                work.cancel()

    store.on_change.append(seen)
    try:
        cancelling = asyncio.create_task(_cancel(store, read, cancelled))
        while read()["status"].get("phase") not in TERMINAL_PHASES and not work.done():
            await _next_change(store, work)
        cancelling.cancel()
        if broken:
            raise broken[0]
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        slices = store.items(SLICE)
        await cluster.delete_environment(run_namespace(run))
        addresses.close()
    _note_end(store, read())
    return LocalRun(read(), slices)


def _own_ports(spec: Object, mapping: LocalMapping) -> frozenset[tuple[str, int]]:
    """Ports of applications that Docker runs on this machine's network, and that nothing tells to listen elsewhere."""
    return frozenset(
        (application["name"], port["port"])
        for application in spec.get("applications") or ()
        if not mapping.has(application["image"])
        for port in application.get("ports") or ()
        if not any(f"{{{port['name']}}}" in value for _, value in mapping.variables(application["image"]))
    )


def _note_end(store: Store, body: Object) -> None:
    """Whatever a spec says of retention: processes do not outlive the engine."""
    aspect = TRUE, "Deleted", "the environment is deleted"
    status = mark_cleaned(parse_status(body["status"]), aspect, Moment(time.time(), body["metadata"]["generation"]))
    store.put({**body, "status": status.model_dump(mode="json", by_alias=True, exclude_none=True)})


def _admit(store: Store, manifest: Object) -> Object:
    """What the API server makes of a manifest."""
    metadata = manifest.get("metadata") or {}
    name = metadata.get("name") or f"{metadata.get('generateName', 'run-')}{uuid.uuid4().hex[:5]}"
    return store.put(
        {
            **manifest,
            "spec": manifest.get("spec") or {},
            "metadata": {
                "namespace": "default",
                **metadata,
                "name": name,
                "uid": str(uuid.uuid4()),
                "generation": 1,
                "creationTimestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "finalizers": [FINALIZER],
            },
            "status": {"observedGeneration": -1},
        }
    )


def _settings(versions: dict[str, str | None]) -> Settings:
    """A catalogue that has every version: whether this machine has it is seen when a server is looked for."""
    catalogue = {
        name: {
            "default": "",
            "versions": {"": name, **({version: f"{name}:{version}"} if (version := versions.get(name)) else {})},
        }
        for name in SERVICES
    }
    return Settings.model_validate({"images": {"agent": OWN_IMAGE, "suite": SUITE_IMAGE}, "catalogue": catalogue})


async def _cancel(store: Store, read: Callable[[], Object], cancelled: asyncio.Event) -> None:
    await cancelled.wait()
    body = read()
    metadata = {**body["metadata"], "generation": body["metadata"]["generation"] + 1}
    store.put({**body, "metadata": metadata, "spec": {**body["spec"], "cancel": True}})


async def _next_change(store: Store, work: asyncio.Task[None]) -> None:
    changed = asyncio.Event()

    def notice(_: Object) -> None:
        changed.set()

    store.on_change.append(notice)
    waiting = asyncio.create_task(changed.wait())
    try:
        await asyncio.wait({waiting, work}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        store.on_change.remove(notice)
