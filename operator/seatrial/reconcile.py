"""One run: observe, decide, carry out, project, until its environment is gone. Level-triggered and repeatable."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from seatrial import metrics
from seatrial.api import parse_spec
from seatrial.api.applied import refuse_dropped_services
from seatrial.apply import carry_out
from seatrial.cleanup import LOOK_AGAIN_SECONDS, CleanUp
from seatrial.conditions import TRUE
from seatrial.decide import APPLICATIONS, NAMESPACE, Decision, Orders, decide
from seatrial.errors import ClusterError, SpecError
from seatrial.inquire import Inquiry, is_doubtful, suites_in_doubt
from seatrial.logs import RunLogs
from seatrial.naming import RunId, finalizer_of, run_namespace
from seatrial.observe import Snapshot, view_jobs, view_pods
from seatrial.plan import Addresses, Names, Plan, PlanError, make_plan
from seatrial.report import GoneError, OvertakenError, Reporter, parse_status
from seatrial.status import Moment, mark_cleaned, observe_generation, project, read_past, refuse
from seatrial.verdict import Judgement, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from seatrial.api import TestRunStatus
    from seatrial.cluster import Cluster, World
    from seatrial.decide import Past
    from seatrial.settings import Settings
    from seatrial.slots import Slots

logger = logging.getLogger(__name__)

Object = dict[str, Any]
Seen = tuple[Object | None, "Iterable[Object]", "Iterable[Object]"]
"""Namespace, pods and Jobs."""

RETRY_SECONDS = 1.0
VERIFY_SECONDS = 60.0
"""How long watches are believed: what was deleted while there was none comes in no event and is in no list after it."""


@dataclass(frozen=True)
class Tools:
    """What all runs share."""

    cluster: Cluster
    settings: Settings
    world: World
    slots: Slots
    inpod_files: Mapping[str, str]
    addresses: Addresses = field(default_factory=Names)
    barred: Callable[[], Judgement | None] = lambda: None
    """Why no run may start now, or ever."""


class Run:
    """The reconciler of one TestRun."""

    def __init__(self, body: Object, tools: Tools) -> None:
        metadata = body["metadata"]
        self.id = RunId(metadata["name"], metadata["namespace"], metadata["uid"])
        self.wake = asyncio.Event()
        self.stopped = False
        self.lock = asyncio.Lock()
        """Held for a pass, and by the deletion: no object is created behind its back."""
        self.last_pass = time.monotonic()
        self._tools = tools
        self._log = logging.LoggerAdapter(logger, {"run": str(self.id), "uid": self.id.uid})
        self._created_at = str(metadata.get("creationTimestamp", ""))
        self._logs = RunLogs(self.id, tools.cluster, self.wake)
        self._reporter = Reporter(self.id, tools.cluster, body)
        self._plan: Plan | None = None
        self._planned_generation = -1
        self._applied: dict[str, float] = {}
        """Step -> when it was carried out by this process."""
        self._refused: dict[str, tuple[str, str]] = {}
        self._namespace_seen = False
        self._inquiry = Inquiry(self.id, tools.cluster)
        self._clean_up = CleanUp(tools.cluster, tools.world, self._reporter)
        self._verified_at = 0.0
        self._is_held = False
        """Whether it waits for something else than a slot."""

    async def run(self, read_body: Callable[[], Object]) -> None:
        """Reconcile until the environment is gone. `read_body` gives the TestRun as it is at that moment."""
        restored = False
        try:
            while not self.stopped:
                self.wake.clear()
                wait: float | None = RETRY_SECONDS
                try:
                    if not restored:
                        await self._restore()
                        restored = True
                    wait = await self._locked_pass(read_body)
                except OvertakenError:
                    wait = 0.0
                except GoneError:
                    self._log.warning("%s: the TestRun is gone or going; deleting its environment", self.id)
                    await self.delete()
                    return
                except ClusterError as error:
                    metrics.PASS_ERRORS.labels(type(error).__name__).inc()
                    self._log.warning("%s: %s; trying again in %g s", self.id, error, RETRY_SECONDS)
                except Exception:  # noqa: BLE001  (a defect that one run shows must not end the others)
                    metrics.PASS_ERRORS.labels("defect").inc()
                    self._log.exception("%s: a pass failed; trying again in %g s", self.id, RETRY_SECONDS)
                self.last_pass = time.monotonic()
                if wait is None:
                    return
                await _wait(self.wake, wait)
        finally:
            self._tools.slots.release(self.id.uid)
            await self._logs.close()

    async def delete(self) -> None:
        """The TestRun is being deleted: stop, and delete the environment without waiting for it to be gone."""
        self.stopped = True
        self.wake.set()
        async with self.lock:
            await self._tools.cluster.delete_environment(run_namespace(self.id))
        self._tools.slots.release(self.id.uid)

    async def _restore(self) -> None:
        """Take up a run that another operator has started; what the watch's first list says of it may be stale."""
        if self._reporter.status.timings.started is None:
            return
        await self._reporter.read()
        await self._logs.restore()

    async def _locked_pass(self, read_body: Callable[[], Object]) -> float | None:
        async with self.lock:
            if self.stopped:
                return None
            with metrics.PASS_SECONDS.time():
                return await self._pass(read_body())

    async def _pass(self, body: Object) -> float | None:
        """One pass. Returns how long to wait for the next, or None when there is nothing left to do."""
        now = time.time()
        self._reporter.observe(body)
        moment = Moment(now, int(body["metadata"].get("generation", 0)))
        past = read_past(self._reporter.status)
        plan = self._make_plan(body, moment.generation)
        if isinstance(plan, Judgement):
            await self._refuse(plan, past, moment)
            return None
        if past.finished_at is not None:
            await self._logs.close()
            decision = decide(plan, self._observe(plan, past), past, Orders(), now)
            return await self._clean_up.look(plan.namespace_name, decision, moment)
        finalizer = finalizer_of(self._tools.settings.namespaces)
        if past.started_at is None and finalizer not in (body["metadata"].get("finalizers") or ()):
            return LOOK_AGAIN_SECONDS  # nothing is created that a deletion would not find
        orders = self._orders(body)
        self._is_held = orders.suspend or orders.barred is not None
        snapshot, decision = await self._decide(plan, past, orders, now)
        if NAMESPACE in decision.steps and past.started_at is None:
            await self._claim(plan, snapshot, decision, moment)
        if decision.steps:
            await self._carry_out(plan, decision)
        status = self._project(plan, snapshot, decision, moment)
        if decision.verdict is not None:
            await self._finish(plan, status, decision)
            return 0.0
        if (flush_at := self._logs.flush_at) is not None and flush_at <= now:
            await self._logs.flush(now)
        due = await self._reporter.progress(status, now)
        times = [time for time in (due, decision.wake_at, self._logs.flush_at) if time is not None]
        return max(0.01, min([LOOK_AGAIN_SECONDS, *(time - now for time in times)]))

    async def _decide(self, plan: Plan, past: Past, orders: Orders, now: float) -> tuple[Snapshot, Decision]:
        snapshot = self._observe(plan, past, await self._verify(plan, past, now))
        decision = decide(plan, snapshot, past, orders, now)
        if past.started_at is not None and (is_doubtful(decision, snapshot, past) or suites_in_doubt(decision, past)):
            # A watch may lag behind: nobody is told that a pod is gone before the API server itself says so.
            seen = await self._tools.cluster.read_environment(plan.namespace_name)
            snapshot = self._observe(plan, past, seen)
            decision = decide(plan, snapshot, past, orders, now)
        if await self._inquiry.ask(plan, snapshot, decision, self._applied.get(APPLICATIONS), now):
            snapshot = replace(snapshot, tails=dict(self._inquiry.tails), events=dict(self._inquiry.refusals))
            decision = decide(plan, snapshot, past, orders, now)
        ending = set(decision.suites) if decision.verdict is not None else suites_in_doubt(decision, past)
        if ending and await self._logs.catch_up(ending):
            snapshot = replace(snapshot, environment=self._logs.environment)
            decision = decide(plan, snapshot, past, orders, now)
        return snapshot, decision

    async def _verify(self, plan: Plan, past: Past, now: float) -> Seen | None:
        """What there is of the environment, asked once a minute."""
        if past.started_at is None or now < max(past.started_at, self._verified_at) + VERIFY_SECONDS:
            return None
        self._verified_at = now
        return await self._tools.cluster.read_environment(plan.namespace_name)

    async def _claim(self, plan: Plan, snapshot: Snapshot, decision: Decision, moment: Moment) -> None:
        """Write that the run has started before anything of it exists.

        The API server lets only one write follow on the status that was read: whoever does not know that the run was
        started already, or has even ended, learns it here.
        """
        started = replace(snapshot, applied=frozenset({NAMESPACE}))
        await self._reporter.write(project(plan, started, decision, self._reporter.status, moment), moment.now)

    def _project(self, plan: Plan, snapshot: Snapshot, decision: Decision, moment: Moment) -> TestRunStatus:
        known = replace(snapshot, applied=frozenset(self._applied))
        return project(plan, known, decision, self._reporter.status, moment)

    def _make_plan(self, body: Object, generation: int) -> Plan | Judgement:
        if self._plan is None or generation != self._planned_generation:
            try:
                spec = parse_spec(body.get("spec") or {})
                refuse_dropped_services(body["metadata"], spec.services)
                self._plan = make_plan(
                    self.id, spec, self._tools.settings, self._tools.inpod_files, self._tools.addresses
                )
            except SpecError as error:
                return Judgement(State.ERROR, "InvalidSpec", str(error))
            except PlanError as error:
                return Judgement(State.ERROR, error.reason, str(error))
            self._planned_generation = generation
        return self._plan

    async def _refuse(self, judgement: Judgement, past: Past, moment: Moment) -> None:
        """End a run that cannot be planned; one that has ended before keeps its verdict.

        A run that was started can become one: the catalogue may have lost a version since.
        """
        if past.started_at is not None and not past.cleaned:
            await self._tools.cluster.delete_environment(run_namespace(self.id))
            if past.finished_at is not None:
                aspect = TRUE, "Deleted", f"the environment is being deleted: {judgement.message}"
                await self._reporter.write(mark_cleaned(self._reporter.status, aspect, moment), moment.now)
        if past.finished_at is None:
            await self._reporter.write(refuse(self._reporter.status, judgement, moment), moment.now)
            metrics.RUNS_FINISHED.labels(self._reporter.status.phase, judgement.reason).inc()
            await self._reporter.announce(judgement.reason, judgement.message, warning=True)

    def _orders(self, body: Object) -> Orders:
        spec = body.get("spec") or {}
        return Orders(
            suspend=bool(spec.get("suspend")),
            cancel=bool(spec.get("cancel")),
            image_pull_seconds=self._tools.settings.image_pull_seconds,
            barred=self._tools.barred(),
        )

    def _observe(self, plan: Plan, past: Past, seen: Seen | None = None) -> Snapshot:
        """What is known now, out of the watches or as it was read from the API server."""
        world, slots, uid = self._tools.world, self._tools.slots, self.id.uid
        namespace, found, jobs = seen or (world.namespace(plan.namespace_name), world.pods(uid), world.jobs(uid))
        pods = view_pods(found, uid)
        self._namespace_seen = self._namespace_seen or namespace is not None
        if past.finished_at is None:
            self._logs.follow(plan.namespace_name, pods)
            if past.started_at is not None:
                slots.adopt(self.id)
        return Snapshot(
            namespace_exists=namespace is not None,
            namespace_terminating=namespace is not None and "deletionTimestamp" in namespace["metadata"],
            namespace_seen=self._namespace_seen,
            pods=pods,
            jobs=view_jobs(jobs, uid),
            environment=self._logs.environment,
            shards=self._logs.shards,
            applied=frozenset(self._applied),
            refused=dict(self._refused),
            tails=dict(self._inquiry.tails),
            events=dict(self._inquiry.refusals),
            has_slot=past.started_at is not None or self._ask_for_slot(),
            place=str(slots.place(uid) or ""),
        )

    def _ask_for_slot(self) -> bool:
        """Whether the run may start. One that is held has no slot and no place in the queue: others go first."""
        if self._is_held:
            self._tools.slots.release(self.id.uid)
            return False
        return self._tools.slots.ask(self.id, self._created_at, self.wake.set)

    async def _carry_out(self, plan: Plan, decision: Decision) -> None:
        done, refused = await carry_out(self._tools.cluster, plan, decision.steps)
        self._applied |= dict.fromkeys(done, time.time())
        self._refused |= refused
        if refused:
            self.wake.set()

    async def _finish(self, plan: Plan, status: TestRunStatus, decision: Decision) -> None:
        """Publish the verdict: first the complete record, then the status, then whoever waits for the slot."""
        verdict = decision.verdict
        if verdict is None:
            return
        await self._logs.flush(time.time())
        await self._reporter.write(status, time.time())
        self._tools.slots.release(self.id.uid)
        metrics.RUNS_FINISHED.labels(status.phase, verdict.reason).inc()
        for outcome in ("passed", "failed", "errors", "skipped", "xfailed", "xpassed"):
            metrics.TESTS.labels(outcome).inc(getattr(status.summary, outcome))
        self._log.info("%s: %s (%s), %s passed", self.id, status.phase, verdict.reason, status.passed)
        passed = verdict.state is State.PASSED
        await self._reporter.announce(verdict.reason, f"{status.phase}: {verdict.message}", warning=not passed)
        if (
            (self._namespace_seen or self._applied)
            and plan.retention_failure_seconds
            and not self._logs.all_ended(plan)
        ):
            await self._tools.cluster.delete_suites(plan.namespace_name)


def adopt(body: Object, slots: Slots) -> None:
    """Count a run that has been started and is not over among the active ones."""
    metadata = body["metadata"]
    past = read_past(parse_status(body.get("status")))
    if past.started_at is not None and past.finished_at is None and "deletionTimestamp" not in metadata:
        slots.adopt(RunId(metadata["name"], metadata["namespace"], metadata["uid"]))


async def acknowledge(body: Object, cluster: Cluster) -> None:
    """Note in the status of a run that is over that a later change of its spec has been seen."""
    metadata = body["metadata"]
    moment = Moment(time.time(), int(metadata.get("generation", 0)))
    reporter = Reporter(RunId(metadata["name"], metadata["namespace"], metadata["uid"]), cluster, body)
    while "deletionTimestamp" not in metadata and reporter.status.observed_generation < moment.generation:
        try:
            await reporter.write(observe_generation(reporter.status, moment), moment.now)
        except OvertakenError:
            continue
        except GoneError:
            return


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
