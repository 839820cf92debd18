"""Who takes part in the attempts: two tenants with a run each, people with more or fewer rights, and bystanders."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from string import Template
from typing import TYPE_CHECKING, Any

from tests.e2e.kubectl import OPERATOR_NAMESPACE, Tenant, kubectl

from .actors import ADMINISTRATOR, Actor, account, listed, with_every_right

if TYPE_CHECKING:
    from collections.abc import Mapping

Object = dict[str, Any]

QUICK = "def test_one(): pass\n"
SECRET_VALUE = "the-key-of-a-tenant"
PEOPLE = ("author", "owner", "caller", "named", "maker")
KINDS = (
    *(f"/api/v1/namespaces/$space/{kind}" for kind in ("pods", "secrets", "configmaps", "serviceaccounts", "services")),
    "/apis/rbac.authorization.k8s.io/v1/namespaces/$space/rolebindings",
    "/apis/networking.k8s.io/v1/namespaces/$space/networkpolicies",
    "/apis/batch/v1/namespaces/$space/jobs",
)
CLUSTER_KINDS = (
    "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
)


@dataclass(frozen=True)
class Scene:
    """The tenants, the actors by their roles, and the names that attempts refer to."""

    mine: Tenant
    theirs: Tenant
    actors: Mapping[str, Actor]
    names: Mapping[str, str]

    def fill(self, value: Any) -> Any:
        """Put the names of this scene in the places that attempts leave for them (`$tenant`)."""
        if isinstance(value, str):
            return Template(value).substitute(self.names)
        if isinstance(value, dict):
            return {self.fill(key): self.fill(item) for key, item in value.items()}
        return [self.fill(item) for item in value] if isinstance(value, list) else value


def set_up(mine: Tenant, theirs: Tenant) -> Scene:
    """Two finished runs whose environments are kept, so that they take nobody's slot."""
    for tenant, name in ((mine, "mine"), (theirs, "theirs")):
        tenant.tests("quick", QUICK)
        tenant.apply(_secret("api-key"), _secret("other-key"), _bystander(), _idle())
        suite = {"name": "it", "testsFrom": {"configMapRef": {"name": "quick"}}}
        tenant.run(name, services={"redis": {}}, suites=[suite], retention={"onSuccess": "2h", "onFailure": "2h"})
    runs = {"my": mine.finished("mine"), "their": theirs.finished("theirs")}
    _people(mine.namespace)
    actors = {who: account(mine.namespace, who) for who in PEOPLE}
    actors["operator"] = account(OPERATOR_NAMESPACE, "seatrial")
    actors["operator with every right"] = with_every_right(OPERATOR_NAMESPACE, "seatrial")
    names = {"tenant": mine.namespace, "other": theirs.namespace, "system": OPERATOR_NAMESPACE}
    for which, run in runs.items():
        assert run["status"]["phase"] == "Passed", run["status"]
        names |= {
            f"{which}_uid": run["metadata"]["uid"],
            f"{which}_space": run["status"]["namespace"],
            f"{which}_slice": _slice_of(run),
        }
    return Scene(mine, theirs, actors, names)


def _people(namespace: str) -> None:
    """author: the role edit. owner: the role admin, and everything of the product's group. caller: TestRuns and nothing
    else. named: TestRuns, and one Secret and one ConfigMap by their names. maker: makes namespaces, and writes
    what is part of an object: its status, its end, its node.
    """
    runs = {"apiGroups": ["seatrial.dev"], "resources": ["testruns"], "verbs": ["create", "get", "update", "patch"]}
    names = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["api-key"], "verbs": ["get"]}
    maps = {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["quick"], "verbs": ["get"]}
    every = {"apiGroups": ["seatrial.dev"], "resources": ["*"], "verbs": ["*"]}
    makes = ["namespaces", "namespaces/status", "namespaces/finalize"]
    spaces = {"apiGroups": [""], "resources": makes, "verbs": ["get", "create", "update", "patch", "delete"]}
    # As the kubelet, the scheduler and the controller of Jobs have it; no built-in role for people does.
    parts = ["pods/status", "pods/binding", "bindings"]
    states = [
        {"apiGroups": [""], "resources": parts, "verbs": ["create", "patch"]},
        {"apiGroups": ["batch"], "resources": ["jobs/status"], "verbs": ["patch"]},
    ]
    roles = {"callers": [runs], "named": [runs, names, maps], "everything": [every], "states": states}
    objects: list[Object] = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": who}} for who in PEOPLE
    ]
    objects += [_object("Role", name, rules=rules) for name, rules in roles.items()]
    bindings = (("author", "ClusterRole", "edit"), ("owner", "ClusterRole", "admin"), ("owner", "Role", "everything"),
                ("caller", "Role", "callers"), ("named", "Role", "named"), ("maker", "Role", "states"))  # fmt: skip
    objects += [
        _object("RoleBinding", f"{who}-{role}", roleRef=_ref(kind, role), subjects=[_subject(who, namespace)])
        for who, kind, role in bindings
    ]
    maker = f"{namespace}-maker"
    objects += [
        _object("ClusterRole", maker, rules=[spaces]),
        _object(
            "ClusterRoleBinding", maker, roleRef=_ref("ClusterRole", maker), subjects=[_subject("maker", namespace)]
        ),
    ]
    kubectl(
        "apply", "-n", namespace, "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    )


def clean_up(scene: Scene) -> None:
    """What is in no namespace of a tenant."""
    maker = f"{scene.mine.namespace}-maker"
    kubectl("delete", "clusterrole,clusterrolebinding", maker, "--ignore-not-found")


def _object(kind: str, name: str, **more: Any) -> Object:
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": name}, **more}


def _ref(kind: str, name: str) -> Object:
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}


def _subject(name: str, namespace: str) -> Object:
    return {"kind": "ServiceAccount", "name": name, "namespace": namespace}


def _secret(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"key": SECRET_VALUE}}


def _bystander() -> Object:
    """A pod that nobody schedules, so that it is there and does nothing."""
    spec = {"schedulerName": "nobody", "containers": [{"name": "it", "image": "localhost/none:1"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bystander"}, "spec": spec}


def _idle() -> Object:
    """A Job that starts nothing."""
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "it", "image": "localhost/none:1"}]}}
    spec = {"suspend": True, "template": template}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "idle"}, "spec": spec}


def _slice_of(run: Object) -> str:
    found = json.loads(kubectl("get", "testresultslices", "-n", run["metadata"]["namespace"], "-o", "json"))["items"]
    return str(next(i["metadata"]["name"] for i in found if i["spec"]["run"] == run["metadata"]["name"]))


def state_of(scene: Scene) -> dict[str, Any]:
    """What none of the attempts may change, without what the cluster itself and other tests keep changing."""
    spaces = [
        "kube-system",
        OPERATOR_NAMESPACE,
        *(scene.names[n] for n in ("tenant", "other", "my_space", "their_space")),
    ]
    state: dict[str, Any] = {}
    for space in spaces:
        for kind in KINDS:
            path = Template(kind).substitute(space=space)
            state[path] = sorted(
                (item["metadata"]["name"], json.dumps(item["metadata"].get("labels"), sort_keys=True))
                for item in listed(path)
            )
        found = ADMINISTRATOR.send("GET", f"/api/v1/namespaces/{space}").body["metadata"]
        state[f"labels of {space}"] = found["labels"]
        assert "deletionTimestamp" not in found, space
    for run, tenant in (("mine", scene.mine), ("theirs", scene.theirs)):
        body = tenant.get(run)
        state[run] = (body["spec"], body["status"], body["metadata"]["uid"])
    others = re.compile(f"e2e-(?!{scene.mine.namespace.removeprefix('e2e-')})")
    for kind in CLUSTER_KINDS:
        names = [item["metadata"]["name"] for item in listed(kind)]
        state[kind] = sorted(name for name in names if not others.match(name))
    return state
