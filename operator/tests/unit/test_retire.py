"""What is done before the operator is uninstalled."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from seatrial import retire
from seatrial.errors import ConflictError, ForbiddenError, NotFoundError
from seatrial.naming import FINALIZER
from seatrial.retire import Retirement, TooLateError

Object = dict[str, Any]

NOTHING = {"onSuccess": "0s", "onFailure": "0s"}


def run(name: str, phase: str, *, cleaned: bool = False, namespace: str = "team-a", **spec: Any) -> Object:
    over = phase in {"Passed", "Cancelled"}
    conditions = [
        {"type": "Finished", "status": str(over)},
        {"type": "EnvironmentCleaned", "status": str(cleaned)},
    ]
    metadata = {
        "name": name,
        "namespace": namespace,
        "uid": f"uid-{name}",
        "resourceVersion": "7",
        "finalizers": [FINALIZER, f"{FINALIZER}-0123456789", "example.com/theirs"],
    }
    return {"metadata": metadata, "spec": spec, "status": {"phase": phase, "conditions": conditions} if phase else {}}


class Api:
    """A cluster with an operator that does what it is told, while there is one."""

    def __init__(self, *runs: Object, idle: bool = False) -> None:
        self.runs = {item["metadata"]["name"]: item for item in runs}
        self.patches: list[tuple[str, Object]] = []
        self.idle = idle
        self.replicas = 1
        self.late: Object | None = None
        """A run that the operator takes up in its last moment."""
        self.conflicts = 0
        """So many times somebody else is faster."""

    async def list_all(self, path: str, selector: str = "") -> list[Object]:
        if path.endswith("/pods"):
            assert selector == "app.kubernetes.io/name=seatrial"
            return [{"metadata": {"name": "seatrial-1"}}] * self.replicas
        return list(self.runs.values())

    async def call(
        self, method: str, path: str, *, body: Object | None = None, content_type: str = "application/json"
    ) -> Object:
        assert (method, content_type) == ("PATCH", "application/merge-patch+json")
        assert body is not None
        if path.endswith("/deployments/seatrial/scale"):
            self.replicas = body["spec"]["replicas"]
            self.patches.append(("scale", body))
            if self.late is not None:
                self.runs["late"], self.late = self.late, None
            for name in self.runs if self.replicas else ():
                self._obey(name)
            return {}
        name = path.rpartition("/")[2]
        if name not in self.runs:
            raise NotFoundError(name)
        if "finalizers" in body["metadata"] and self.conflicts:
            self.conflicts -= 1
            self.runs[name]["metadata"]["resourceVersion"] = "8"
            raise ConflictError(name)
        self.patches.append((name, body))
        item = self.runs[name]
        item["spec"] |= body.get("spec", {})
        item["metadata"] |= body["metadata"]
        if self.replicas and not self.idle:
            self._obey(name)
        return item

    def _obey(self, name: str) -> None:
        item = self.runs[name]
        if "retention" in item["spec"]:
            phase = "Passed" if item["status"].get("phase") == "Passed" else "Cancelled"
            item["status"] = run(name, phase, cleaned=True)["status"]


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retire, "PAUSE_SECONDS", 0)


async def carry_out(api: Api, *namespaces: str, seconds: float = 5) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    await Retirement(api, namespaces or ("*",), "seatrial-system", deadline).carry_out()


async def test_every_run_ends_then_the_operator_then_finalizers_go() -> None:
    api = Api(run("going", "Running"), run("new", ""), run("kept", "Passed"), run("done", "Passed", cleaned=True))
    await carry_out(api)
    orders = {name: body["spec"] for name, body in api.patches if "spec" in body and name != "scale"}
    assert orders == {
        "going": {"cancel": True, "retention": NOTHING},
        "new": {"cancel": True, "retention": NOTHING},
        "kept": {"retention": NOTHING},
    }
    names = [name for name, _ in api.patches]
    assert names.index("scale") == 3
    released = {name: body["metadata"] for name, body in api.patches[4:]}
    assert set(released) == {"going", "new", "kept", "done"}
    for name, metadata in released.items():
        assert metadata == {"uid": f"uid-{name}", "resourceVersion": "7", "finalizers": ["example.com/theirs"]}


async def test_what_was_ordered_already_is_not_ordered_again() -> None:
    api = Api(run("going", "Running", cancel=True, retention=NOTHING), idle=True)
    with pytest.raises(TooLateError, match=r"TestRuns have not ended: team-a/going \(Running\)"):
        await carry_out(api, seconds=0.01)
    assert api.patches == []


async def test_runs_of_other_operators_are_left_alone() -> None:
    api = Api(run("ours", "Running", namespace="team-a"), run("theirs", "Running", namespace="lab-b"))
    await carry_out(api, "team-*")
    assert {name for name, _ in api.patches} == {"ours", "scale"}


async def test_an_operator_that_does_not_stop() -> None:
    api = Api()

    async def nothing(method: str, path: str, **_: Any) -> Object:
        del method, path
        return {}

    api.call = nothing  # type: ignore[method-assign,assignment]
    with pytest.raises(TooLateError, match="the operator has not stopped: pod seatrial-system/seatrial-1"):
        await carry_out(api, seconds=0.01)


async def test_a_run_that_was_taken_up_in_the_last_moment_has_its_operator_again() -> None:
    api = Api(run("going", "Running"))
    api.late = run("late", "Running")
    await carry_out(api)
    assert [body["spec"]["replicas"] for name, body in api.patches if name == "scale"] == [0, 1, 0]
    assert api.runs["late"]["status"]["phase"] == "Cancelled"
    assert api.runs["late"]["metadata"]["finalizers"] == ["example.com/theirs"]


async def test_a_run_that_nobody_took_up_needs_no_operator() -> None:
    api = Api()
    api.late = run("late", "")
    api.late["metadata"]["finalizers"] = []
    await carry_out(api)
    assert [body["spec"]["replicas"] for name, body in api.patches if name == "scale"] == [0]


async def test_whoever_changes_a_run_meanwhile_is_no_trouble() -> None:
    api = Api(run("done", "Passed", cleaned=True))
    api.conflicts = 2
    await carry_out(api)
    assert api.patches[-1] == (
        "done",
        {"metadata": {"uid": "uid-done", "resourceVersion": "8", "finalizers": ["example.com/theirs"]}},
    )


async def test_after_a_failure_the_operator_is_there_again() -> None:
    api = Api(run("done", "Passed", cleaned=True))
    api.conflicts = 1_000_000
    with pytest.raises(TooLateError, match=r"have our finalizer: team-a/done \(Passed\)"):
        await carry_out(api, seconds=0.05)
    assert api.replicas == 1


async def test_an_operator_that_cannot_be_started_again_has_a_command() -> None:
    api = Api()
    stop = api.call

    async def only_stop(method: str, path: str, **more: Any) -> Object:
        if more["body"]["spec"]["replicas"]:
            raise ForbiddenError("no longer")
        await stop(method, path, **more)
        api.replicas = 1  # its pod stays
        return {}

    api.call = only_stop  # type: ignore[method-assign,assignment]
    with pytest.raises(TooLateError, match=r"kubectl scale -n seatrial-system deployment/seatrial --replicas=1"):
        await carry_out(api, seconds=0.01)


async def test_a_run_that_is_deleted_meanwhile_is_no_trouble() -> None:
    api = Api()
    assert await Retirement(api, ("*",), "x", 0)._patch(run("gone", "Passed"), {})
    assert api.patches == []
