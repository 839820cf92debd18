"""kopf's side of the operator, and the only module that imports it: what is watched, and which run it wakes."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import random
import time
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kopf
from prometheus_client import start_http_server

from seatrial import metrics
from seatrial.api import GROUP, VERSION
from seatrial.enforcement import Enforcement
from seatrial.inpod import read_inpod_files
from seatrial.kube import KubernetesCluster
from seatrial.naming import FINALIZER, RUN_UID_LABEL, RunId, finalizer_of, is_environment_of, selector_of
from seatrial.reconcile import Run, Tools, acknowledge, adopt
from seatrial.settings import load_settings
from seatrial.slots import Slots
from seatrial.sweep import sweep_forever
from seatrial.unsettled import Unsettled, touch_forever

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

logger = logging.getLogger(__name__)

CONFIG_VARIABLE = "SEATRIAL_CONFIG"
METRICS_VARIABLE = "SEATRIAL_METRICS_PORT"
WATCHES = 4
"""Kinds of objects that are watched: TestRuns, pods, Jobs, namespaces."""
EXIT_SECONDS = 10.0
"""How long the operator may take to end once that has begun."""
WEDGED_SECONDS = 600.0
"""An active run looks around at least every 15 s; one that has not for this long is stuck.

Longer than a pass can take while the API server cannot answer: that is no reason to start the operator anew."""

_TESTRUNS = (GROUP, VERSION, "testruns")
_OURS = {RUN_UID_LABEL: kopf.PRESENT}


@dataclass
class Operator:
    """What lives as long as the process."""

    tools: Tools
    cluster: KubernetesCluster
    runs: dict[str, Run] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    """Runs whose environment was deleted and whose TestRun is about to go."""
    unsettled: Unsettled = field(default_factory=Unsettled)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def looks_after(self, namespace: str | None) -> bool:
        """Whether the TestRuns of a namespace are this operator's."""
        return any(fnmatchcase(namespace or "", pattern) for pattern in self.tools.settings.namespaces)

    def wake_all(self) -> None:
        for run in self.runs.values():
            run.wake.set()

    def wake(self, uid: str | None) -> None:
        if uid is not None and (run := self.runs.get(uid)) is not None:
            run.wake.set()


class _Watched:
    """The watched objects, out of kopf's indices."""

    def __init__(self) -> None:
        self.indices: dict[str, Any] = {}

    def pods(self, uid: str) -> Iterable[dict[str, Any]]:
        return list(self.indices["pods"].get(uid, ())) if self.indices else []

    def jobs(self, uid: str) -> Iterable[dict[str, Any]]:
        return list(self.indices["jobs"].get(uid, ())) if self.indices else []

    def namespace(self, name: str) -> dict[str, Any] | None:
        return next(iter(self.indices["namespaces"].get(name, ())), None) if self.indices else None


class _Backoffs:
    """Pauses between attempts, without an end: kopf gives a watch up for good when it runs out of them."""

    def __iter__(self) -> Iterator[float]:
        for pause in itertools.chain((0.5, 1, 2), itertools.repeat(5)):
            yield pause * random.uniform(1, 1.5)  # noqa: S311  (jitter, not a secret)


class _ProgressInMemory(kopf.AnnotationsProgressStorage):
    """How far the deletion of a TestRun has come. Annotations are the tenant's to write: nothing in them is read."""

    def __init__(self) -> None:
        super().__init__(prefix=GROUP)
        self._records: dict[tuple[str, str], Any] = {}

    def fetch(self, *, key: Any, body: kopf.Body) -> Any:
        return self._records.get((body.meta.uid or "", key))

    def store(self, *, key: Any, record: Any, body: kopf.Body, **_: Any) -> None:
        self._records[body.meta.uid or "", key] = dict(record)

    def purge(self, *, key: Any, body: kopf.Body, **_: Any) -> None:
        self._records.pop((body.meta.uid or "", key), None)

    def touch(self, *, body: kopf.Body, patch: kopf.Patch, value: str | None) -> None:
        """Write an annotation for the sake of another event: where a deletion is tried again, and nowhere else.

        kopf would also do so for a daemon that has not quite ended. It ends by itself; a finished run stays as it is.
        """
        if value is None or "deletionTimestamp" in body.meta:
            super().touch(body=body, patch=patch, value=value)


class _NoDiffBase(kopf.DiffBaseStorage):
    """Nothing is handled by difference, so no copy of the spec goes into an annotation."""

    def fetch(self, **_: Any) -> None:
        return None

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence()  # kopf would copy each object of each event

    def store(self, **_: Any) -> None:
        return None


@kopf.on.startup(errors=kopf.ErrorsMode.PERMANENT)
async def startup(settings: kopf.OperatorSettings, memo: Any, **_: Any) -> None:
    """Configure kopf, connect, and start the sweep. An error here ends the process."""
    settings.persistence.progress_storage = _ProgressInMemory()
    settings.persistence.diffbase_storage = _NoDiffBase()
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.watching.chunk_size = 500
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 310
    settings.watching.connect_timeout = 10
    settings.watching.inactivity_timeout = 70  # bookmarks come every 60 s
    settings.execution.default_backoff = 5
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = _Backoffs()
    settings.networking.enforce_retry_after = True

    config = load_settings(Path(os.environ.get(CONFIG_VARIABLE, "/etc/seatrial/config.yaml")))
    settings.persistence.finalizer = finalizer_of(config.namespaces)
    for plural in ("pods", "jobs", "namespaces"):
        settings.watching.label_selectors[plural] = selector_of(config.namespaces)
    cluster = await KubernetesCluster.connect()
    slots = Slots(config.max_active_runs, config.max_active_runs_per_namespace)
    enforcement = Enforcement(cluster, config)
    tools = Tools(cluster, config, _Watched(), slots, read_inpod_files(), barred=enforcement.barred)
    memo.operator = Operator(tools, cluster)
    # Before any queued run asks for a slot, count those that were started before this process.
    for run in await cluster.list_unfinished_runs():
        if memo.operator.looks_after(run["metadata"]["namespace"]):
            adopt(run, tools.slots)
    memo.operator.tasks += [
        asyncio.create_task(sweep_forever(cluster, tools.slots.retain, enforcement.in_use), name="sweep"),
        asyncio.create_task(touch_forever(cluster, memo.operator.unsettled), name="touch"),
    ]
    if config.network_policies.check or config.network_policies.required:
        work = enforcement.watch(memo.operator.wake_all)
        memo.operator.tasks.append(asyncio.create_task(work, name="network policies"))
    metrics.RUNS_ACTIVE.set_function(lambda: tools.slots.active)
    metrics.RUNS_QUEUED.set_function(lambda: tools.slots.waiting)
    if port := os.environ.get(METRICS_VARIABLE):
        start_http_server(int(port))


@kopf.on.cleanup()
async def cleanup(memo: Any, **_: Any) -> None:
    # A request that is being tried again, pause after pause, would keep a process for ever that is to end.
    asyncio.get_running_loop().call_later(EXIT_SECONDS, os._exit, 1)
    operator: Operator = memo.operator
    for task in operator.tasks:
        task.cancel()
    await operator.cluster.close()


@kopf.index("v1", "pods", labels=_OURS, id="pods")
async def index_pods(body: kopf.Body, labels: kopf.Labels, namespace: str | None, **_: Any) -> dict[str, Any]:
    return _index(body, labels, namespace)


@kopf.index("batch", "v1", "jobs", labels=_OURS, id="jobs")
async def index_jobs(body: kopf.Body, labels: kopf.Labels, namespace: str | None, **_: Any) -> dict[str, Any]:
    return _index(body, labels, namespace)


@kopf.index("v1", "namespaces", labels=_OURS, id="namespaces")
async def index_namespaces(body: kopf.Body, name: str, **_: Any) -> dict[str, Any]:
    return {name: _slim(body)}


def _index(body: kopf.Body, labels: kopf.Labels, namespace: str | None) -> dict[str, Any]:
    uid = labels[RUN_UID_LABEL]
    return {uid: _slim(body)} if is_environment_of(namespace or "", uid) else {}


def _slim(body: kopf.Body) -> dict[str, Any]:
    """An object without what takes a third of its memory and tells nothing."""
    slim = dict(body)
    slim["metadata"] = {key: value for key, value in body["metadata"].items() if key != "managedFields"}
    return slim


@kopf.on.event("v1", "pods", labels=_OURS, id="wake-by-pod")
@kopf.on.event("batch", "v1", "jobs", labels=_OURS, id="wake-by-job")
@kopf.on.event("v1", "namespaces", labels=_OURS, id="wake-by-namespace")
async def wake(labels: kopf.Labels, memo: Any, **_: Any) -> None:
    memo.operator.wake(labels.get(RUN_UID_LABEL))


@kopf.on.event(*_TESTRUNS, id="wake-by-testrun")
async def wake_by_testrun(  # noqa: PLR0917  (kopf calls it by keywords)
    body: kopf.Body,
    uid: str,
    namespace: str | None,
    type: str,  # noqa: A002  (kopf's name)
    memo: Any,
    patch: kopf.Patch,
    **_: Any,
) -> None:
    operator: Operator = memo.operator
    if not operator.looks_after(namespace):
        return
    operator.wake(uid)
    run_id = RunId(str(body.metadata.name), str(namespace), uid)
    settled = type == "DELETED" or _is_settled(body, finalizer_of(operator.tools.settings.namespaces))
    operator.unsettled.observe(run_id, settled=settled, now=time.monotonic())
    if type != "DELETED" and _is_abandoned(body.meta, finalizer_of(operator.tools.settings.namespaces)):
        await Run(_plain(body), operator.tools).delete()
        operator.deleted.add(uid)
        patch.fns.append(_release)
    elif type == "DELETED":
        if uid in operator.deleted:
            operator.deleted.remove(uid)
        elif not _is_over(body.status):  # somebody took the finalizer away
            await (operator.runs.get(uid) or Run(_plain(body), operator.tools)).delete()
    elif uid not in operator.runs and _is_over(body.status):
        await acknowledge(_plain(body), operator.cluster)


def _is_abandoned(meta: Mapping[str, Any], own: str) -> bool:
    """Whether a deletion waits for an operator with other settings: kopf looks after its own finalizer alone."""
    finalizers = meta.get("finalizers") or ()
    ours = any(name.startswith(FINALIZER) for name in finalizers)
    return "deletionTimestamp" in meta and own not in finalizers and ours


def _is_settled(body: kopf.Body, own: str) -> bool:
    """Whether a run that has work has this operator's finalizer, and one that is being deleted has it no more."""
    there = own in (body.meta.get("finalizers") or ())
    return not there if "deletionTimestamp" in body.meta else there or _is_over(body.status)


def _is_over(status: Mapping[str, Any]) -> bool:
    """Whether a run has its verdict and its environment is gone."""
    conditions = {item.get("type"): item.get("status") for item in status.get("conditions") or ()}
    return conditions.get("Finished") == "True" and conditions.get("EnvironmentCleaned") == "True"


def _has_work(status: kopf.Status, meta: kopf.Meta, namespace: str | None, memo: Any, **_: Any) -> bool:
    """Whether a TestRun needs a daemon of this operator."""
    operator: Operator = memo.operator
    return operator.looks_after(namespace) and not _is_over(status) and not meta.get("deletionTimestamp")


@kopf.daemon(*_TESTRUNS, id="reconcile", when=_has_work, cancellation_backoff=1.0, cancellation_timeout=1.0)
async def reconcile(body: kopf.Body, uid: str, memo: Any, **indices: Any) -> None:
    """One daemon a run, woken by what happens to its objects and by what its suites say."""
    operator: Operator = memo.operator
    watched = operator.tools.world
    if isinstance(watched, _Watched) and not watched.indices:
        watched.indices = {name: indices[name] for name in ("pods", "jobs", "namespaces")}
    run = Run(_plain(body), operator.tools)
    operator.runs[uid] = run
    try:
        await run.run(lambda: _plain(body))
    finally:
        if operator.runs.get(uid) is run:
            del operator.runs[uid]


def _plain(body: kopf.Body) -> dict[str, Any]:
    """The TestRun as it is now: kopf's views change while one looks at them."""
    return {key: body[key] for key in ("metadata", "spec", "status") if key in body}


def _is_looked_after(namespace: str | None, memo: Any, **_: Any) -> bool:
    operator: Operator = memo.operator
    return operator.looks_after(namespace)


@kopf.on.delete(
    *_TESTRUNS, id="delete", when=_is_looked_after, errors=kopf.ErrorsMode.TEMPORARY, backoff=5, timeout=600
)
async def delete(body: kopf.Body, uid: str, memo: Any, patch: kopf.Patch, **_: Any) -> None:
    """Delete the environment. The finalizer goes when the deletion is accepted: `kubectl delete` does not hang.

    After ten minutes without success the finalizer goes all the same; the sweep deletes what is left.
    """
    operator: Operator = memo.operator
    if not _is_over(body.status):
        await (operator.runs.get(uid) or Run(_plain(body), operator.tools)).delete()
        operator.deleted.add(uid)
    patch.fns.append(_release)


def _release(body: kopf.RawBody) -> None:
    """Take away what operators with other settings have left."""
    finalizers = body["metadata"].get("finalizers") or []
    body["metadata"]["finalizers"] = [name for name in finalizers if not name.startswith(FINALIZER)]


@kopf.on.probe(id="watches", errors=kopf.ErrorsMode.PERMANENT)
async def probe_watches(**_: Any) -> int:
    """Fail the liveness probe when a watch has ended: an answer such as 404 ends it for good, and nothing says so."""
    watches = sum(task.get_name().startswith("watcher for ") for task in asyncio.all_tasks())
    if watches < WATCHES:
        raise RuntimeError(f"{watches} of {WATCHES} watches are open")
    return watches


@kopf.on.probe(id="runs", errors=kopf.ErrorsMode.PERMANENT)
async def probe_runs(memo: Any, **_: Any) -> int:
    """Fail the liveness probe when an active run has not been looked at for minutes."""
    now = time.monotonic()
    stuck = [str(run.id) for run in memo.operator.runs.values() if now - run.last_pass > WEDGED_SECONDS]
    if stuck:
        raise RuntimeError(f"no pass for {WEDGED_SECONDS:g} s over {', '.join(stuck)}")
    return len(memo.operator.runs)
