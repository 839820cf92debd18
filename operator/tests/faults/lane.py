"""A tenant's namespace with an operator of its own behind a fault proxy, in which one run after the other is tried."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Self

from seatrial.naming import RunId, run_namespace

from .api import TESTRUNS, Api, Object
from .invariants import Story
from .kinds import SOURCE, Kind
from .operator_process import OperatorProcess
from .proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from hack.kubelet import Script, StandIn

    from .fault import Fault
    from .recorder import Recorder, Seen

OVER_SECONDS = 240.0
GONE_SECONDS = 240.0


class Lane:
    """Where one run at a time is tried."""

    def __init__(  # noqa: PLR0917  (a lane is made in one place)
        self,
        namespace: str,
        folder: Path,
        api: Api,
        recorder: Recorder,
        node: StandIn,
        scripts: dict[str, Mapping[str, Script]],
    ) -> None:
        self.namespace = namespace
        self.api = api
        self.recorder = recorder
        self.node = node
        self.folder = folder
        self.settings = _settings(namespace)
        self.proxy = Proxy(api, _identity(namespace))
        self.operator = OperatorProcess(folder, self.settings, namespace)
        self._scripts = scripts
        self._number = 0
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.proxy)
        self.proxy.write_kubeconfig(self.operator.kubeconfig)
        await self._stack.enter_async_context(self.operator)
        tests = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "tests"}, "data": SOURCE}
        await self.api.apply(f"/api/v1/namespaces/{self.namespace}/configmaps", tests)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def ready(self, *faults: Fault) -> None:
        """The operator runs; the proxy's record is empty."""
        self.proxy.reset(*faults)
        await self.operator.start()

    @contextlib.asynccontextmanager
    async def second(self) -> AsyncIterator[tuple[Proxy, OperatorProcess]]:
        """Another operator for the same namespace, with a proxy of its own. It is not started."""
        name = f"{self.namespace}-second"
        async with (
            Proxy(self.api, _identity(self.namespace)) as proxy,
            OperatorProcess(self.folder, self.settings, name) as operator,
        ):
            proxy.write_kubeconfig(operator.kubeconfig)
            yield proxy, operator

    def crash(self, *, again: bool = True) -> None:
        """The operator dies, and what it had sent and nobody has taken up dies with it. Then it is started anew."""
        self.operator.kill(again=again)
        self.proxy.forget_client()

    async def clear(self) -> None:
        """Remove the runs that a scenario has left behind when it failed: the next one begins with none."""
        left = [run for run in self.recorder.testruns.values() if run.namespace == self.namespace and not run.deleted]
        for run in left:
            await self.api.delete(self.path(run.uid))
            await self.api.try_merge(self.path(run.uid), {"metadata": {"finalizers": None}})
            await self.api.delete(f"/api/v1/namespaces/{self.environment(run.uid)}")

    # --- Runs ------------------------------------------------------------------------------------------------------

    async def submit(self, kind: Kind, name: str = "", **spec: Any) -> str:
        """Create a TestRun; its uid."""
        self._number += 1
        name = name or f"run-{self._number}"
        body = {
            "apiVersion": "seatrial.dev/v1alpha1",
            "kind": "TestRun",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": kind.body() | spec,
        }
        created = await self.api.call("POST", TESTRUNS.format(self.namespace), body)
        uid = str(created["metadata"]["uid"])
        self._scripts[uid] = kind.scripts
        await self.recorder.until(f"TestRun {name} is seen", lambda: uid in self.recorder.testruns, 30)
        return uid

    def run(self, uid: str) -> Seen:
        return self.recorder.testruns[uid]

    def status(self, uid: str) -> Object:
        return dict(self.run(uid).last.get("status") or {})

    def condition(self, uid: str, kind: str) -> Object:
        found = (item for item in self.status(uid).get("conditions") or () if item["type"] == kind)
        return dict(next(found, {}))

    def environment(self, uid: str) -> str:
        """The name of a run's namespace."""
        return run_namespace(RunId(self.run(uid).name, self.namespace, uid))

    async def until(self, uid: str, what: str, probe: Any, seconds: float = OVER_SECONDS) -> Any:
        """Wait for something about a run; a failure shows its status and the operator's log."""
        try:
            return await self.recorder.until(f"{self.namespace}/{self.run(uid).name}: {what}", probe, seconds)
        except AssertionError as error:
            status = {key: self.status(uid).get(key) for key in ("phase", "reason", "message", "passed", "timings")}
            status |= {"EnvironmentCleaned": self.condition(uid, "EnvironmentCleaned"), "left": self.left(uid)}
            calls = "\n".join(str(record) for record in self.proxy.records[-20:])
            said = f"status: {status}\nlast requests:\n{calls}\noperator:\n{self.operator.log()}"
            raise AssertionError(f"{error}\n{said}") from None

    async def until_phase(self, uid: str, *phases: str, seconds: float = OVER_SECONDS) -> Object:
        await self.until(uid, f"phase {' or '.join(phases)}", lambda: self.status(uid).get("phase") in phases, seconds)
        return self.status(uid)

    async def until_over(self, uid: str, seconds: float = OVER_SECONDS) -> Object:
        """Wait for the verdict and for the end of the clean-up; the status."""

        def over() -> bool:
            return self.condition(uid, "EnvironmentCleaned").get("status") == "True" and self.environment_gone(uid)

        await self.until(uid, "the run is over and its environment is gone", over, seconds)
        return self.status(uid)

    def path(self, uid: str) -> str:
        """Where the TestRun is at the API server."""
        return f"{TESTRUNS.format(self.namespace)}/{self.run(uid).name}"

    async def change(self, uid: str, **spec: Any) -> int:
        """Somebody edits the spec; what the API server answers."""
        return await self.api.try_merge(self.path(uid), {"spec": spec})

    async def delete(self, uid: str) -> None:
        await self.api.delete(self.path(uid))

    async def until_gone(self, uid: str, seconds: float = GONE_SECONDS) -> Story:
        """Wait for the end of a TestRun that is deleted, and of everything that belonged to it; its story."""

        await self.until(uid, "it is gone", lambda: self.run(uid).deleted and not self.left(uid), seconds)
        return Story(self.recorder, uid)

    def left(self, uid: str) -> list[str]:
        """What there is of a run beside the TestRun."""
        return [str(seen) for seen in self.recorder.objects(uid) if not seen.deleted]

    def environment_gone(self, uid: str) -> bool:
        """Whether nothing of a run is left but its results."""
        return all(seen.deleted for seen in self.recorder.objects(uid) if seen.kind != "TestResultSlice")


def _identity(namespace: str) -> dict[str, str | list[str]]:
    """Whom the API server takes the operator for: a service account with the rights of the chart's."""
    return {
        "Impersonate-User": f"system:serviceaccount:{namespace}:seatrial",
        "Impersonate-Group": [
            "system:serviceaccounts",
            f"system:serviceaccounts:{namespace}",
            "system:authenticated",
        ],
    }


def _settings(namespace: str) -> Object:
    """The configuration of an operator that looks after one namespace."""
    services = ("redis", "postgres", "kafka", "redpanda", "influxdb")
    return {
        "namespaces": [namespace],
        "account": f"{namespace}:seatrial",
        "images": {"agent": "registry.test/seatrial:1", "suite": "registry.test/suite:1"},
        "catalogue": {name: {"default": "1", "versions": {"1": f"registry.test/{name}:1"}} for name in services},
        "maxActiveRuns": 4,
        "imagePullSeconds": 2,
        "quota": {
            "requestsCpu": "100000",
            "limitsCpu": "100000",
            "requestsMemory": "64Gi",
            "limitsMemory": "64Gi",
        },
    }
