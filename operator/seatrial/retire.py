"""`python -m seatrial.retire`: before the operator is uninstalled, do what nobody could do afterwards.

The chart runs it as a hook. It ends the runs that go on, waits until their environments are gone, stops the operator,
and takes its finalizer off all TestRuns: with it they could never be deleted.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from seatrial.errors import ClusterError, ConflictError, NotFoundError
from seatrial.kube.paths import TESTRUNS, collection, ours
from seatrial.kube.requests import MERGE_PATCH, connect
from seatrial.naming import FINALIZER
from seatrial.settings import SettingsError, load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

Object = dict[str, Any]

PAUSE_SECONDS = 1.0
"""Between two looks."""
NOTHING_KEPT = {"onSuccess": "0s", "onFailure": "0s"}
OPERATOR = "app.kubernetes.io/name=seatrial"


class Api(Protocol):
    """What is needed of a cluster. Raises ClusterError."""

    async def call(
        self, method: str, path: str, *, body: Object | None = None, content_type: str = "application/json"
    ) -> Object: ...

    async def list_all(self, path: str, selector: str = "") -> list[Object]: ...


class TooLateError(Exception):
    """Not done in time; the message says what is left."""


@dataclass
class Retirement:
    """The end of one operator's work."""

    api: Api
    namespaces: Sequence[str]
    """Whose TestRuns are this operator's; patterns."""
    operator_namespace: str
    deadline: float
    """In the event loop's time."""

    async def carry_out(self) -> None:
        """All of it. Raises TooLateError and ClusterError; the operator is there again then."""
        while True:
            await self._wait_for("TestRuns have not ended", self.end_runs)
            await self._scale(0)
            try:
                late = await self._without_operator()
            except (TooLateError, ClusterError) as error:
                await self._start_again(error)
                raise
            if not late:
                return
            print(f"taken up while the operator stopped, which starts again for them: {', '.join(late)}", flush=True)
            await self._scale(1)

    async def _without_operator(self) -> list[str]:
        """Let go of all TestRuns once the operator has stopped, or return those that it took up in its last moment."""
        await self._wait_for("the operator has not stopped", self.operator_pods)
        await self.end_runs()
        late = [self._name(run) for run in await self._runs() if self._taken_up(run) and not self._is_over(run)]
        if late and self._too_late():
            raise TooLateError(f"TestRuns were taken up while the operator stopped: {', '.join(late)}")
        if not late:
            await self._wait_for("TestRuns that somebody else keeps changing have our finalizer", self.release)
        return late

    async def end_runs(self) -> list[str]:
        """Order the end of whatever has none; the runs that are not done with."""
        left = []
        for run in await self._runs():
            if self._is_over(run):
                continue
            left.append(self._name(run))
            spec: Object = run.get("spec") or {}
            orders: Object = {"retention": NOTHING_KEPT}
            if self._conditions(run).get("Finished") != "True":
                orders["cancel"] = True
            if any(spec.get(name) != order for name, order in orders.items()):
                await self._patch(run, {"spec": orders})
        return left

    async def _scale(self, replicas: int) -> None:
        """Without replicas, it cannot put its finalizer on again."""
        path = f"{collection('apps/v1', 'Deployment', self.operator_namespace)}/seatrial/scale"
        await self.api.call("PATCH", path, body={"spec": {"replicas": replicas}}, content_type=MERGE_PATCH)

    async def _start_again(self, because: Exception) -> None:
        try:
            await self._scale(1)
        except ClusterError as error:
            command = f"kubectl scale -n {self.operator_namespace} deployment/seatrial --replicas=1"
            raise TooLateError(
                f"{because}; the operator is stopped and cannot be started ({error}): {command}"
            ) from error

    async def operator_pods(self) -> list[str]:
        pods = await self.api.list_all(collection("v1", "Pod", self.operator_namespace), OPERATOR)
        return [f"pod {self.operator_namespace}/{pod['metadata']['name']}" for pod in pods]

    async def _runs(self) -> list[Object]:
        found = await self.api.list_all(TESTRUNS)
        return [run for run in found if any(fnmatchcase(run["metadata"]["namespace"], one) for one in self.namespaces)]

    async def release(self) -> list[str]:
        """Take the operator's finalizer off all TestRuns; those that were changed meanwhile, to be read again."""
        left = []
        for run in await self._runs():
            metadata = run["metadata"]
            there = metadata.get("finalizers") or []
            kept = [name for name in there if not name.startswith(FINALIZER)]
            # The version makes sure that nothing is taken off that somebody has added meanwhile.
            changes = {"finalizers": kept, "resourceVersion": metadata["resourceVersion"]}
            if kept != there and not await self._patch(run, {"metadata": changes}):
                left.append(self._name(run))
        return left

    @staticmethod
    def _conditions(run: Object) -> dict[str, str]:
        return {item["type"]: item["status"] for item in (run.get("status") or {}).get("conditions") or ()}

    def _is_over(self, run: Object) -> bool:
        """Ended, and nothing of it left in the cluster."""
        conditions = self._conditions(run)
        return conditions.get("Finished") == conditions.get("EnvironmentCleaned") == "True"

    @staticmethod
    def _taken_up(run: Object) -> bool:
        """Whether the operator has begun with it: before anything else, it puts its finalizer on."""
        return any(name.startswith(FINALIZER) for name in run["metadata"].get("finalizers") or ())

    @staticmethod
    def _name(run: Object) -> str:
        metadata, phase = run["metadata"], (run.get("status") or {}).get("phase")
        return f"{metadata['namespace']}/{metadata['name']} ({phase or 'not taken up'})"

    async def _patch(self, run: Object, change: Object) -> bool:
        """False when it has changed since it was read; one that is gone needs no change."""
        metadata = run["metadata"]
        path = f"{ours('TestRun', metadata['namespace'])}/{metadata['name']}"
        body = change | {"metadata": {"uid": metadata["uid"], **change.get("metadata", {})}}
        try:
            await self.api.call("PATCH", path, body=body, content_type=MERGE_PATCH)
        except NotFoundError:
            return True
        except ConflictError:
            return False
        return True

    def _too_late(self) -> bool:
        return asyncio.get_running_loop().time() > self.deadline

    async def _wait_for(self, what: str, left: Any) -> None:
        said: list[str] = []
        while things := await left():
            if self._too_late():
                raise TooLateError(f"{what}: {', '.join(things)}")
            if things != said:
                print(f"waiting for {', '.join(things)}", flush=True)
                said = things
            await asyncio.sleep(PAUSE_SECONDS)


async def retire(namespaces: Sequence[str], operator_namespace: str, seconds: float) -> None:
    """End the work of the operator around this pod. Raises TooLateError and ClusterError."""
    calls, logs = await connect()
    try:
        deadline = asyncio.get_running_loop().time() + seconds
        await Retirement(calls, namespaces, operator_namespace, deadline).carry_out()
    finally:
        await calls.close()
        await logs.close()


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0 when nothing is left that needs the operator."""
    parser = argparse.ArgumentParser(prog="python -m seatrial.retire")
    parser.add_argument("--namespace", required=True, help="where the operator is")
    parser.add_argument("--timeout", type=float, default=240.0, metavar="SECONDS")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    try:
        namespaces = load_settings(Path(os.environ["SEATRIAL_CONFIG"])).namespaces
        asyncio.run(retire(namespaces, options.namespace, options.timeout))
    except (TooLateError, ClusterError, SettingsError) as error:
        print(
            f"{error}; gave up after {time.monotonic() - began:.0f} s. The operator is still installed. Look at it "
            f"(kubectl logs -n {options.namespace} deployment/seatrial), or uninstall it as it is: "
            "helm uninstall --no-hooks",
            file=sys.stderr,
        )
        return 1
    print("every run is over, every environment is gone, and TestRuns can be deleted without an operator")
    return 0


if __name__ == "__main__":
    sys.exit(main())
