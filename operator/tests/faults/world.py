"""The cluster on which faults are tried: prepared for it, and left as it was found."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Self

import yaml

from hack.kubelet import Script, StandIn
from seatrial.naming import (
    COMPONENT_LABEL,
    NAME_LABEL,
    OPERATOR_ROLE,
    RUN_NAMESPACE_ANNOTATION,
    RUN_UID_LABEL,
)

from .api import TESTRUNS, Api, Object
from .lane import Lane
from .recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[3]
CHART = ROOT / "charts" / "seatrial"
ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
NAMESPACES = "/api/v1/namespaces"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
DEPLOYMENT = "/apis/apps/v1/namespaces/seatrial-system/deployments/seatrial"
OPERATOR_PODS = "/api/v1/namespaces/seatrial-system/pods"
READY_SECONDS = 60.0
_WITHOUT_FINALIZERS: Object = {"metadata": {"finalizers": None}}


class World:
    """A prepared cluster and the lanes on it."""

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        self.lanes: list[Lane] = []
        self._kubeconfig = kubeconfig
        self._folder = folder
        self._scripts: dict[str, Mapping[str, Script]] = {}
        """Uid of a run -> component and name -> what its pod does."""
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._prepare()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _prepare(self) -> None:
        self.api = await self._stack.enter_async_context(await Api.connect(str(self._kubeconfig)))
        await self._retire_operator()
        await self._install_crds()
        if await self.api.get(f"{ROLES}/{OPERATOR_ROLE}") is None:
            await self.api.apply(ROLES, _role(OPERATOR_ROLE, _rules(OPERATOR_ROLE)))
        self.recorder = await self._stack.enter_async_context(Recorder(self.api))
        self.node = await self._stack.enter_async_context(StandIn(self._kubeconfig, script=self._script))

    async def add_lanes(self, number: int) -> None:
        """Make tenants' namespaces, each with the rights and the process of an operator of its own."""
        run = uuid.uuid4().hex[:6]
        rules = _rules()
        for index in range(number):
            name = f"faults-{run}-{index}"
            await self.api.apply(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
            self._stack.push_async_callback(self._remove, name)
            await self._grant(name, rules)
            lane = Lane(name, self._folder, self.api, self.recorder, self.node, self._scripts)
            self.lanes.append(await self._stack.enter_async_context(lane))

    async def grant(self, lane: Lane, *, without: tuple[str, str] | None = None) -> None:
        """Give a lane's operator the chart's rights, but for one verb on one resource."""
        resource, verb = without or ("", "")
        rules = [
            rule | {"verbs": [item for item in rule["verbs"] if resource not in rule["resources"] or item != verb]}
            for rule in _rules()
        ]
        await self.api.apply(ROLES, _role(lane.namespace, rules))

    async def _grant(self, name: str, rules: list[Object]) -> None:
        await self.api.apply(ROLES, _role(name, rules))
        self._stack.push_async_callback(self.api.delete, f"{ROLES}/{name}")
        group = "rbac.authorization.k8s.io"
        binding = {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": "seatrial", "namespace": name}],
        }
        await self.api.apply(BINDINGS, binding)
        self._stack.push_async_callback(self.api.delete, f"{BINDINGS}/{name}")

    async def _remove(self, tenant: str) -> None:
        """Delete a tenant's namespace; what a test that has failed left behind goes with it."""
        for run in await self.api.items(TESTRUNS.format(tenant)):
            # Its operator is dead by now.
            await self.api.merge(f"{TESTRUNS.format(tenant)}/{run['metadata']['name']}", _WITHOUT_FINALIZERS)
        await self.api.delete(f"{NAMESPACES}/{tenant}")
        for environment in await self.api.items(NAMESPACES, RUN_UID_LABEL):
            if environment["metadata"]["annotations"].get(RUN_NAMESPACE_ANNOTATION) == tenant:
                await self.api.delete(f"{NAMESPACES}/{environment['metadata']['name']}")

    async def _retire_operator(self) -> None:
        """An operator that is installed would take part; it comes back in the end."""
        deployment = await self.api.get(DEPLOYMENT)
        if deployment is None:
            return
        await self._scale(0)
        self._stack.push_async_callback(self._scale, int(deployment["spec"]["replicas"]))

    async def _scale(self, replicas: int) -> None:
        await self.api.merge(f"{DEPLOYMENT}/scale", {"spec": {"replicas": replicas}})
        async with asyncio.timeout(READY_SECONDS):
            while True:
                pods = await self.api.items(OPERATOR_PODS)
                status = (await self.api.get(DEPLOYMENT) or {}).get("status") or {}
                if status.get("readyReplicas", 0) == replicas and len(pods) == replicas:
                    return
                await asyncio.sleep(0.2)  # between two looks

    async def _install_crds(self) -> None:
        """Install what is not there. They stay: whoever takes them away takes all TestRuns with them."""
        for path in sorted((CHART / "files" / "crds").glob("*.yaml")):
            crd = yaml.safe_load(path.read_text())
            where = f"{CRDS}/{crd['metadata']['name']}"
            if await self.api.get(where) is not None:
                continue
            await self.api.apply(CRDS, crd)
            async with asyncio.timeout(READY_SECONDS):
                while not _established(await self.api.get(where)):  # noqa: ASYNC110  (the API server signals nobody)
                    await asyncio.sleep(0.1)

    def _script(self, pod: Object) -> Script | None:
        labels = pod["metadata"].get("labels") or {}
        role = f"{labels.get(COMPONENT_LABEL)}/{labels.get(NAME_LABEL)}"
        return self._scripts.get(labels.get(RUN_UID_LABEL, ""), {}).get(role)


def _role(name: str, rules: list[Object]) -> Object:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": [rule for rule in rules if rule["verbs"]],
    }


def _rules(role: str = "seatrial") -> list[Object]:
    """The rights that the chart gives to the operator: everywhere, or inside of its runs' namespaces."""
    command = [sys.executable, "-m", "hack.cluster", "path", "helm"]
    helm = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    command = [helm, "template", "seatrial", str(CHART), "--show-only", "templates/rbac.yaml"]
    rendered = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = (item for item in yaml.safe_load_all(rendered) if item and item["kind"] == "ClusterRole")
    return list(next(item for item in found if item["metadata"]["name"] == role)["rules"])


def _established(crd: Object | None) -> bool:
    conditions = ((crd or {}).get("status") or {}).get("conditions") or ()
    return any(item["type"] == "Established" and item["status"] == "True" for item in conditions)
