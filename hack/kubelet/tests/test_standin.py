"""Pods that are played look to the real API server, scheduler and controllers as pods on a node do."""

from __future__ import annotations

import asyncio
import json
import uuid
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from hack.kubelet import Script, StandIn
from hack.kubelet.client import ApiError
from hack.kubelet.nodes import CORDONED, LABEL, TAINT
from hack.kubelet.script import Exit, Waiting
from seatrial.lines import decode
from seatrial.naming import COMPONENT_LABEL, NAME_LABEL
from seatrial.records import Attempt, Collected, End, Record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from hack.kubelet.client import Api, Object

pytestmark = pytest.mark.apiserver

DEADLINE_SECONDS = 60
NAME = f"stand-in-{uuid.uuid4().hex[:6]}"
"""One for each process: tests may run side by side, and each must get its own pods."""
PLACE: dict[str, Any] = {
    "nodeSelector": {LABEL: NAME},
    "tolerations": [{"key": TAINT["key"], "operator": "Exists"}],
    "terminationGracePeriodSeconds": 30,
}


@asynccontextmanager
async def stand_in(kubeconfig: Path, scripts: dict[str, Script] | None = None) -> AsyncIterator[StandIn]:
    """A stand-in beside the real nodes; scripts by role."""

    def script(pod: Object) -> Script | None:
        return (scripts or {}).get(pod["metadata"]["labels"][NAME_LABEL])

    async with StandIn(kubeconfig, name=NAME, script=script, cordon_others=False) as made:
        yield made


def labels(component: str, role: str) -> dict[str, str]:
    return {COMPONENT_LABEL: component, NAME_LABEL: role}


def pod(component: str, role: str, restart: str = "Never") -> Object:
    spec = {**PLACE, "restartPolicy": restart, "containers": [{"name": role, "image": "none"}]}
    return {"kind": "Pod", "metadata": {"name": role, "labels": labels(component, role)}, "spec": spec}


def suite(shards: int = 1, **script: Any) -> Object:
    """A Job as the operator makes it, as far as the stand-in looks at it."""
    env = [{"name": "STANDIN", "value": json.dumps(script)}, {"name": "SEATRIAL_SHARDS", "value": str(shards)}]
    spec = {
        **PLACE,
        "restartPolicy": "Never",
        "initContainers": [{"name": "relay", "image": "none", "restartPolicy": "Always"}],
        "containers": [{"name": "suite", "image": "none", "env": env}],
    }
    return {
        "kind": "Job",
        "apiVersion": "batch/v1",
        "metadata": {"name": "suite-core", "labels": labels("suite", "core")},
        "spec": {
            "completionMode": "Indexed",
            "completions": shards,
            "parallelism": shards,
            "backoffLimitPerIndex": 0,
            "template": {"metadata": {"labels": labels("suite", "core")}, "spec": spec},
        },
    }


def environment(services: list[str], applications: list[str] | None = None) -> Object:
    wanted = {
        "services": [{"kind": name, "name": name} for name in services],
        "applications": [{"name": name} for name in applications or ()],
    }
    return {
        "kind": "ConfigMap",
        "metadata": {"name": "environment"},
        "data": {"environment.json": json.dumps(wanted)},
    }


PATHS = {
    "Pod": "/api/v1/namespaces/{}/pods",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Job": "/apis/batch/v1/namespaces/{}/jobs",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
}


async def create(api: Api, namespace: str, *items: Object) -> None:
    for item in items:
        await api.call("POST", PATHS[item["kind"]].format(namespace), item)


async def until(api: Api, namespace: str, kind: str, name: str, condition: Callable[[Object], Any]) -> Object:
    """Wait until an object's status is as wanted; returns the object."""
    seen: Object = {}
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            query = {"fieldSelector": f"metadata.name={name}"}
            async for event, item in api.watch(PATHS[kind].format(namespace), query):
                for seen in item if event == "LISTED" else [item]:
                    if event != "DELETED" and condition(seen.get("status") or {}):
                        return seen
    except TimeoutError:
        pass
    pytest.fail(f"{kind} {name} did not come to what was awaited; its status: {seen.get('status')}")


async def log(api: Api, namespace: str, name: str, container: str, **query: str) -> str:
    """Through the API server, as `kubectl logs` reads it."""
    path = f"{PATHS['Pod'].format(namespace)}/{name}/log"
    return await api.text(path, {"container": container} | query)


def condition(status: Object, kind: str) -> str | None:
    return next((item["status"] for item in status.get("conditions") or () if item["type"] == kind), None)


def records(text: str) -> list[Record]:
    return [record for line in text.encode().splitlines() for record in decode(line).records]


async def test_a_pod_is_bound_runs_and_is_ready(kubeconfig: Path, api: Api, namespace: str) -> None:
    async with stand_in(kubeconfig) as node:
        await create(api, namespace, pod("service", "redis"))
        seen = await until(api, namespace, "Pod", "redis", lambda status: condition(status, "Ready") == "True")
        assert seen["status"]["phase"] == "Running"
        assert seen["status"]["podIP"]
        assert condition(seen["status"], "PodScheduled") == "True"
        assert node.started == [(namespace, "redis")]


async def test_a_pod_that_is_deleted_is_gone_at_once(kubeconfig: Path, api: Api, namespace: str) -> None:
    async with stand_in(kubeconfig) as node:
        await create(api, namespace, pod("service", "redis"))
        await until(api, namespace, "Pod", "redis", lambda status: status.get("phase") == "Running")
        await api.call("DELETE", f"{PATHS['Pod'].format(namespace)}/redis")
        async with asyncio.timeout(PLACE["terminationGracePeriodSeconds"] / 2):
            async for kind, item in api.watch(PATHS["Pod"].format(namespace), {}):
                if kind == "DELETED" or (kind == "LISTED" and not item):
                    break
        await node.gone(namespace, "redis")


async def test_a_run_of_pods_speaks_as_a_real_one_does(kubeconfig: Path, api: Api, namespace: str) -> None:
    async with stand_in(kubeconfig):
        await create(api, namespace, environment(["redis"]), suite(shards=2, tests=3, fail=[1]))
        await create(api, namespace, pod("environment", "environment"), pod("service", "redis"))
        seen = await until(api, namespace, "Job", "suite-core", lambda status: condition(status, "Failed") == "True")
        assert seen["status"]["failedIndexes"] == "0,1"
        said = [
            json.loads(line)["t"] for line in (await log(api, namespace, "environment", "environment")).splitlines()
        ]
        assert said == ["started", "ready", "seeded", "servicesReady", "open"]
        pods = (await api.call("GET", PATHS["Pod"].format(namespace), query={"labelSelector": f"{NAME_LABEL}=core"}))[
            "items"
        ]
        told = [records(await log(api, namespace, item["metadata"]["name"], "relay")) for item in pods]
        assert [[record.outcome for record in each if isinstance(record, Attempt)] for each in told] == [
            ["passed", "failed", "passed"]
        ] * 2
        collected = [record for each in told for record in each if isinstance(record, Collected)]
        assert {record.total for record in collected} == {6}
        assert len({record.digest for record in collected}) == 1
        assert [each[-1].rc for each in told if isinstance(each[-1], End)] == [1, 1]


async def test_a_suite_waits_for_the_application(kubeconfig: Path, api: Api, namespace: str) -> None:
    async with stand_in(kubeconfig) as node:
        await create(api, namespace, environment([], ["app"]), suite(tests=1), pod("environment", "environment"))
        suite_pod = await node.pod_of(namespace, "suite", "core")
        await until(api, namespace, "Pod", suite_pod.name, lambda status: status.get("phase") == "Running")
        assert "Gate" not in str(records(await log(api, namespace, suite_pod.name, "relay")))
        template = pod("application", "app", "Always")
        selector = {"matchLabels": labels("application", "app")}
        spec = {"selector": selector, "template": {"metadata": template["metadata"], "spec": template["spec"]}}
        await create(
            api,
            namespace,
            {"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "app"}, "spec": spec},
        )
        await until(api, namespace, "Job", "suite-core", lambda status: condition(status, "Complete") == "True")
        await until(api, namespace, "Deployment", "app", lambda status: condition(status, "Available") == "True")


async def test_a_followed_log_ends_with_its_container(kubeconfig: Path, api: Api, namespace: str) -> None:
    async with stand_in(kubeconfig) as node:
        await create(api, namespace, environment([]), suite(tests=4), pod("environment", "environment"))
        held = await node.pod_of(namespace, "suite", "core")
        held.hold()
        await until(api, namespace, "Pod", held.name, lambda status: status.get("phase") == "Running")
        following = asyncio.create_task(log(api, namespace, held.name, "relay", follow="true"))
        held.release()
        told = records(await asyncio.wait_for(following, DEADLINE_SECONDS))
        assert sum(isinstance(record, Attempt) for record in told) == 4
        assert isinstance(told[-1], End)


async def test_a_rotated_log_has_lost_its_beginning(kubeconfig: Path, api: Api, namespace: str) -> None:
    async with stand_in(kubeconfig) as node:
        await create(api, namespace, pod("service", "redis"))
        redis = await node.pod_of(namespace, "service", "redis")
        await until(api, namespace, "Pod", "redis", lambda status: status.get("phase") == "Running")
        redis.say("redis", b"one", b"two", b"three")
        assert await log(api, namespace, "redis", "redis") == "one\ntwo\nthree\n"
        assert await log(api, namespace, "redis", "redis", tailLines="2") == "two\nthree\n"
        redis.rotate("redis", keep=1)
        assert await log(api, namespace, "redis", "redis") == "three\n"


async def test_records_can_be_lost(kubeconfig: Path, api: Api, namespace: str) -> None:
    async with stand_in(kubeconfig) as node:
        items = environment([]), suite(tests=3, lostRecords=[5]), pod("environment", "environment")
        await create(api, namespace, *items)
        await until(api, namespace, "Job", "suite-core", lambda status: condition(status, "Complete") == "True")
        text = await log(api, namespace, (await node.pod_of(namespace, "suite", "core")).name, "relay")
        batches = [decode(line) for line in text.encode().splitlines()]
        numbers = [batch.first + offset for batch in batches for offset in range(len(batch.records))]
        assert numbers == [1, 2, 3, 4, 6, 7, 8]


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (Script(exit=Exit(code=137, reason="OOMKilled")), "OOMKilled"),
        (Script(exit=Exit(code=3)), "Error"),
    ],
)
async def test_a_container_ends_as_told(
    kubeconfig: Path, api: Api, namespace: str, script: Script, reason: str
) -> None:
    async with stand_in(kubeconfig, {"redis": script}):
        await create(api, namespace, pod("service", "redis"))
        seen = await until(api, namespace, "Pod", "redis", lambda status: status.get("phase") == "Failed")
        ended = seen["status"]["containerStatuses"][0]["state"]["terminated"]
        assert script.exit is not None
        assert (ended["exitCode"], ended["reason"]) == (script.exit.code, reason)


async def test_a_container_that_is_to_be_restarted_crashes_in_a_loop(
    kubeconfig: Path, api: Api, namespace: str
) -> None:
    async with stand_in(kubeconfig, {"app": Script(exit=Exit(code=1), log=("cannot listen",))}):
        await create(api, namespace, pod("application", "app", "Always"))
        seen = await until(
            api,
            namespace,
            "Pod",
            "app",
            lambda status: (status.get("containerStatuses") or [{}])[0].get("restartCount"),
        )
        container = seen["status"]["containerStatuses"][0]
        assert container["state"]["waiting"]["reason"] == "CrashLoopBackOff"
        assert container["lastState"]["terminated"]["exitCode"] == 1
        assert await log(api, namespace, "app", "app", previous="true") == "cannot listen\n"


async def test_a_container_waits_as_told(kubeconfig: Path, api: Api, namespace: str) -> None:
    waiting = Waiting(reason="ImagePullBackOff", message="no such image")
    async with stand_in(kubeconfig, {"redis": Script(waiting=waiting)}):
        await create(api, namespace, pod("service", "redis"))
        seen = await until(api, namespace, "Pod", "redis", lambda status: status.get("containerStatuses"))
        assert seen["status"]["containerStatuses"][0]["state"]["waiting"] == waiting.model_dump()
        with pytest.raises(ApiError, match="waiting to start"):
            await log(api, namespace, "redis", "redis")


async def test_a_wrong_script_is_shown_by_its_pod(kubeconfig: Path, api: Api, namespace: str) -> None:
    async with stand_in(kubeconfig) as node:
        await create(api, namespace, environment([]), suite(oops=1))
        found = await node.pod_of(namespace, "suite", "core")
        seen = await until(api, namespace, "Pod", found.name, lambda status: status.get("containerStatuses"))
        waiting = seen["status"]["containerStatuses"][0]["state"]["waiting"]
        assert waiting["reason"] == "CreateContainerConfigError"
        assert "oops: Extra inputs are not permitted" in waiting["message"]


async def test_nothing_is_left_of_a_stand_in(kubeconfig: Path, api: Api, namespace: str) -> None:
    async with stand_in(kubeconfig) as node:
        await create(api, namespace, pod("service", "redis"))
        await until(api, namespace, "Pod", "redis", lambda status: status.get("phase") == "Running")
        names = list(node.nodes)
    nodes = (await api.call("GET", "/api/v1/nodes"))["items"]
    assert not [item for item in nodes if item["metadata"]["name"] in names]
    assert not [item for item in nodes if CORDONED in (item["metadata"].get("annotations") or {})]
    assert (await api.call("GET", PATHS["Pod"].format(namespace)))["items"] == []
