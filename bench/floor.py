"""The floor: what people get without Seatrial, with plain manifests and `kubectl wait`.

Two arms, since who doubts the first may like the second; the better one is what Seatrial is compared with.

`floor-kubectl` is four commands, as they stand in many a CI script:

    kubectl apply -f environment.yaml
    kubectl wait --for=condition=Ready pods --all
    kubectl apply -f job.yaml
    kubectl wait --for=condition=complete job/tests

`floor-raw` does the same without kubectl: this process creates all objects at once over connections that are open
already, and its own watch takes the place of `kubectl wait`. No script of anybody's is faster than that.

Time zero is when the API server has the first object, the namespace: for `floor-kubectl` its arrival in our watch, so
that the start of kubectl does not count, for `floor-raw` the answer to the POST. The verdict is the Job's condition
Complete as it arrives in our watch, which is before `kubectl wait` has returned.

`python -m bench.floor [CASE]` prints the manifests.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import uuid
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import yaml

from bench.api import Api
from bench.cases import NAMESPACE, SERVICES
from bench.floor_manifests import JOB, manifests
from bench.operator_probe import NAMESPACE as OPERATOR_NAMESPACE
from seatrial.settings import Settings, parse_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.api import Object
    from bench.observer import Change, Observer


async def read_settings(api: Api) -> Settings:
    """The configuration of the operator that is installed: its images are the floor's too."""
    config = await api.request("GET", f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/configmaps/seatrial")
    return parse_settings(yaml.safe_load(config["data"]["config.yaml"]))


async def measure(
    api: Api, observer: Observer, services: Mapping[str, Any], suite: str, *, with_kubectl: bool
) -> dict[str, float]:
    """One run of the floor, in seconds. Raises TimeoutError, ApiError, RuntimeError."""
    namespace = f"{NAMESPACE}-floor-{uuid.uuid4().hex[:8]}"
    environment, job = manifests(namespace, services, suite, await read_settings(api))
    wanted = {(item["kind"], item["metadata"]["name"]) for item in environment[1:]}
    pods = {name for kind, name in wanted if kind == "Pod"}
    _program()
    if with_kubectl:
        zero = await _with_kubectl(observer, namespace, environment, job)
    else:
        zero = await _raw(api, observer, namespace, environment, job)
    complete = await observer.wait("Complete", lambda change: _is(change, namespace, "Job", JOB, "Complete"))
    first, last = await stamps(api, namespace)
    deleted = time.time()
    await api.delete(f"/api/v1/namespaces/{namespace}")
    gone = await observer.wait("the end of the namespace", lambda change: _is_gone(change, namespace))
    mine = [change for change in observer.changes if change.namespace == namespace]
    created = [change.at for change in mine if change.type == "ADDED" and (change.kind, change.name) in wanted]
    ready = [min(change.at for change in mine if _is(change, namespace, "Pod", name, "Ready")) for name in pods]
    return {
        "apply to children created": max(created) - zero,
        "apply to environment ready": max(ready) - zero,
        "apply to first test": first - zero,
        "last test to verdict": complete.at - last,
        "apply to verdict": complete.at - zero,
        "deletion to pods gone": max(change.at for change in mine if change.kind == "Pod" and change.type == "DELETED")
        - deleted,
        "deletion to namespace gone": gone.at - deleted,
    }


async def _with_kubectl(observer: Observer, namespace: str, environment: list[Object], job: Object) -> float:
    await _kubectl("apply", "-f", "-", documents=environment)
    zero = await observer.wait("the namespace", lambda change: change.kind == "Namespace" and change.name == namespace)
    where = ("-n", namespace)
    await _kubectl("wait", *where, "--for=condition=Ready", "pods", "--all", "--timeout=120s")
    await _kubectl("apply", "-f", "-", documents=[job])
    await _kubectl("wait", *where, "--for=condition=complete", f"job/{JOB}", "--timeout=120s")
    return zero.at


async def _raw(api: Api, observer: Observer, namespace: str, environment: list[Object], job: Object) -> float:
    await api.create(environment[0])
    zero = time.time()
    pods = [item for item in environment if item["kind"] == "Pod"]
    await asyncio.gather(*(api.create(item) for item in environment[1:] if item["kind"] != "Pod"))
    await asyncio.gather(*(api.create(item) for item in pods))
    for item in pods:
        name = item["metadata"]["name"]
        await observer.wait(
            f"readiness of {name}", partial(_is, namespace=namespace, kind="Pod", name=name, condition="Ready")
        )
    await api.create(job)
    return zero


@cache
def _program() -> str:
    """Finding kubectl starts a Python: not in anybody's measured time."""
    command = [sys.executable, "-m", "hack.cluster", "path", "kubectl"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


async def _kubectl(*arguments: str, documents: list[Object] | None = None) -> None:
    process = await asyncio.create_subprocess_exec(
        _program(),
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    text = "---\n".join(json.dumps(item) + "\n" for item in documents or [])
    said, _ = await process.communicate(text.encode())
    if process.returncode:
        raise RuntimeError(f"kubectl {' '.join(arguments)}: exit status {process.returncode}: {said.decode()}")


def _is(change: Change, namespace: str, kind: str, name: str, condition: str) -> bool:
    """Whether a change shows an object with a condition that is true."""
    return (
        change.kind == kind
        and change.name == name
        and change.namespace == namespace
        and any(
            item["type"] == condition and item["status"] == "True"
            for item in change.item.get("status", {}).get("conditions", ())
        )
    )


def _is_gone(change: Change, namespace: str) -> bool:
    return change.kind == "Namespace" and change.name == namespace and change.type == "DELETED"


async def stamps(api: Api, namespace: str) -> tuple[float, float]:
    """Begin of the first and end of the last test, out of the log of the Job's pod."""
    path = f"/api/v1/namespaces/{namespace}/pods"
    pod = (await api.items(path, labelSelector=f"batch.kubernetes.io/job-name={JOB}"))[0]["metadata"]["name"]
    text = await api.text("GET", f"{path}/{pod}/log")
    for line in text.splitlines():
        if line.startswith("bench-stamps "):
            first, last, number = line.split()[1:]
            if not int(number):
                raise RuntimeError(f"the floor's Job in {namespace} ran no tests: {text}")
            return float(first), float(last)
    raise RuntimeError(f"the floor's Job in {namespace} did not say when its tests ran: {text}")


async def _print(case: str) -> None:
    async with await Api.from_kubeconfig() as api:
        environment, job = manifests("floor", SERVICES[case], "ten", await read_settings(api))
    print(yaml.safe_dump_all([*environment, job], sort_keys=False), end="")


if __name__ == "__main__":
    asyncio.run(_print(sys.argv[1] if len(sys.argv) > 1 else next(iter(SERVICES))))
