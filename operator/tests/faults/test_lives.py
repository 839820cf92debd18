"""What people do to TestRuns and their namespaces, at the worst moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from . import kinds
from .invariants import broken
from .stage import ALL, Stage, report
from .trial import problems_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from .invariants import Story
    from .lane import Lane
    from .stage import Scenario

pytestmark = [pytest.mark.faults, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(3600)]

PHASES = ("", "Provisioning", "Running", "Passed") if ALL else ("", "Running")


async def _end(lane: Lane, uid: str) -> Story:
    """Delete a run and wait for the end of all that belonged to it."""
    await lane.delete(uid)
    story = await lane.until_gone(uid)
    lane.recorder.forget(uid)
    return story


def deleted(phase: str) -> Scenario:
    """Deleted as soon as a phase is seen. Nothing is left."""

    async def scenario(stage: Stage) -> str:
        async with stage.lane() as lane:
            await lane.ready()
            uid = await lane.submit(kinds.SLOW)
            if phase:
                await lane.until_phase(uid, phase)
            story = await _end(lane, uid)
            return report(
                f"deleted in phase {phase or 'none'}, of {len(story.objects)} objects none is left", broken(story)
            )

    return scenario


def without_finalizer(phase: str) -> Scenario:
    """The finalizer is taken away and the TestRun deleted: its environment goes all the same."""

    async def scenario(stage: Stage) -> str:
        async with stage.lane() as lane:
            await lane.ready()
            uid = await lane.submit(kinds.SLOW)
            await lane.until_phase(uid, phase)
            await _tear_out(lane, uid)
            story = await lane.until_gone(uid)
            lane.recorder.forget(uid)
            return report(f"torn out in phase {phase}", broken(story))

    return scenario


async def _tear_out(lane: Lane, uid: str) -> None:
    await lane.delete(uid)
    assert await lane.api.try_merge(lane.path(uid), {"metadata": {"finalizers": None}}) in {200, 404}


async def orphan(stage: Stage) -> str:
    """Row 35: deleted without a finalizer while no operator was there; the next one's sweep finds the namespace."""
    async with stage.lane() as lane:
        await lane.ready()
        uid = await lane.submit(kinds.SLOW)
        await lane.until_phase(uid, "Running")
        lane.crash(again=False)
        await lane.operator.ended()
        await _tear_out(lane, uid)
        await lane.until(uid, "the TestRun is gone", lambda: lane.run(uid).deleted)
        assert not lane.environment_gone(uid), "the namespace went by itself"
        await lane.operator.start()
        story = await lane.until_gone(uid)
        lane.recorder.forget(uid)
        return report("an orphan was swept", broken(story))


async def deleted_while_away(stage: Stage) -> str:
    """Row 37: the finalizer holds what is deleted while no operator is there, and goes when one returns."""
    async with stage.lane() as lane:
        await lane.ready()
        uid = await lane.submit(kinds.SLOW)
        await lane.until_phase(uid, "Running")
        lane.crash(again=False)
        await lane.operator.ended()
        await lane.delete(uid)
        await lane.until(uid, "it is being deleted", lambda: "deletionTimestamp" in lane.run(uid).last["metadata"])
        assert not lane.run(uid).deleted, "nothing held the TestRun back"
        await lane.operator.start()
        story = await lane.until_gone(uid)
        lane.recorder.forget(uid)
        return report("deleted while away", broken(story))


def same_name(*, crash: bool) -> Scenario:
    """Row 32: deleted and created anew with the same name at once. Two uids, two namespaces, one verdict each."""

    async def scenario(stage: Stage) -> str:
        async with stage.lane() as lane:
            await lane.ready()
            first = await lane.submit(kinds.SLOW, "again")
            await lane.until_phase(first, "Running")
            if crash:
                lane.crash(again=False)
                await lane.operator.ended()
            await lane.delete(first)
            if crash:
                await _tear_out(lane, first)
            await lane.until(first, "the name is free", lambda: lane.run(first).deleted)
            second = await lane.submit(kinds.PASSES, "again")
            await lane.operator.start()
            assert lane.environment(first) != lane.environment(second)
            await lane.until_over(second)
            old, new = await lane.until_gone(first), await _end(lane, second)
            lane.recorder.forget(first)
            wrong = [*broken(old), *problems_of(new, kinds.PASSES)]
            return report(f"re-created under the same name{' while away' if crash else ''}", wrong)

    return scenario


def namespace_deleted(phase: str) -> Scenario:
    """Row 33: somebody deletes the run's namespace. The run says so and does not build it anew."""

    async def scenario(stage: Stage) -> str:
        async with stage.lane() as lane:
            await lane.ready()
            uid = await lane.submit(kinds.SLOW)
            await lane.until_phase(uid, phase)
            # The run is claimed before its namespace is there.
            await lane.until(uid, "the namespace is there", lambda: lane.recorder.objects(uid, "Namespace"))
            await lane.api.delete(f"/api/v1/namespaces/{lane.environment(uid)}")
            status = await lane.until_over(uid)
            story = await _end(lane, uid)
            wrong = broken(story)
            if (status["phase"], status["reason"]) != ("Error", "EnvironmentDeleted"):
                wrong.append(f"{status['phase']} ({status['reason']}: {status['message']})")
            return report(f"namespace deleted in phase {phase}: {status['message']}", wrong)

    return scenario


async def edited(stage: Stage) -> str:
    """Row 31: the spec of a run that has started cannot be changed, but for suspend, cancel and retention."""
    async with stage.lane() as lane:
        await lane.ready()
        uid = await lane.submit(kinds.SLOW)
        await lane.until_phase(uid, "Running")
        changes: list[dict[str, object]] = [
            {"services": {"redis": None}},
            {"applications": []},
            {"parallelism": 2},
            {"timeouts": {"total": "2h"}},
            {"suites": []},
        ]
        answers = [await lane.change(uid, **change) for change in changes]
        allowed = await lane.change(uid, suspend=True), await lane.change(uid, retention={"onFailure": "1m"})
        status = await lane.until_over(uid)
        story = await _end(lane, uid)
        wrong = broken(story)
        if set(answers) != {422} or set(allowed) != {200}:
            wrong.append(f"{changes} were answered with {answers}; suspend and retention with {allowed}")
        if status["phase"] != "Passed" or status["observedGeneration"] != story.run.last["metadata"]["generation"] - 1:
            wrong.append(f"{status['phase']}, generation {status['observedGeneration']}")
        return report(f"{len(changes)} changes of a running spec were refused, two were allowed", wrong)


async def finished_status(stage: Stage) -> str:
    """I1 at the API server: nobody, not even its administrator, changes a verdict."""
    async with stage.lane() as lane:
        await lane.ready()
        uid = await lane.submit(kinds.FAILS)
        await lane.until_over(uid)
        changes: list[dict[str, object]] = [{"phase": "Passed"}, {"conditions": []}, {"phase": "Running"}]
        answers = [await lane.api.try_merge(f"{lane.path(uid)}/status", {"status": change}) for change in changes]
        wrong = problems_of(await _end(lane, uid), kinds.FAILS)
        if set(answers) != {422}:
            wrong.append(f"{changes} were answered with {answers}")
        return report("a verdict cannot be changed", wrong)


async def retained(stage: Stage) -> str:
    """The operator is away when the retention time ends; the next one cleans up."""
    async with stage.lane() as lane:
        await lane.ready()
        uid = await lane.submit(kinds.RETAINED)
        await lane.until_phase(uid, "Failed")
        lane.crash(again=False)
        await lane.operator.ended()
        await lane.operator.start()
        await lane.until_over(uid)
        return report("cleaned up by the next operator", problems_of(await _end(lane, uid), kinds.RETAINED))


async def stuck(stage: Stage) -> str:
    """Row 34: somebody's finalizer keeps the namespace. The verdict stands, and nobody's finalizer is touched."""
    async with stage.lane() as lane:
        await lane.ready()
        uid = await lane.submit(kinds.SLOW)
        await lane.until_phase(uid, "Running")
        configs = f"/api/v1/namespaces/{lane.environment(uid)}/configmaps"
        metadata = {"name": "kept", "finalizers": ["example.com/keep"]}
        await lane.api.apply(configs, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})

        def pending() -> bool:
            return lane.condition(uid, "EnvironmentCleaned").get("reason") == "CleanupPending"

        await lane.until(uid, "it is said that the namespace does not go", pending, 300)
        phase, condition = lane.status(uid)["phase"], lane.condition(uid, "EnvironmentCleaned")
        kept = await lane.api.get(f"{configs}/kept")
        await lane.api.merge(f"{configs}/kept", {"metadata": {"finalizers": None}})
        await lane.until_over(uid)
        wrong = problems_of(await _end(lane, uid), kinds.SLOW)
        if phase != "Passed" or kept is None or kept["metadata"]["finalizers"] != metadata["finalizers"]:
            wrong.append(f"phase {phase}, {kept}")
        return report(f"a namespace that does not go: {condition['message']}", wrong)


def _each(make: Callable[[str], Scenario], what: str, phases: tuple[str, ...]) -> dict[str, Scenario]:
    return {f"{what}-{phase or 'at-once'}": make(phase) for phase in phases}


SCENARIOS: dict[str, Scenario] = {
    **_each(deleted, "deleted", PHASES),
    **_each(without_finalizer, "torn-out", ("Provisioning", "Running") if ALL else ("Running",)),
    **_each(namespace_deleted, "namespace-deleted", ("Provisioning", "Running") if ALL else ("Running",)),
    "orphan": orphan,
    "deleted-while-away": deleted_while_away,
    "same-name": same_name(crash=False),
    "same-name-while-away": same_name(crash=True),
    "edited": edited,
    "finished-status": finished_status,
    "retained": retained,
    **({"stuck": stuck} if ALL else {}),
}


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS, indirect=True)
async def test_lives(stage: Stage, scenario: str) -> None:
    print(await stage.result(scenario))
