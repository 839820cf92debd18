"""The cluster of the kubeconfig: does it answer, is the product installed and healthy, what may its user do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from seatrial import __version__
from seatrial.api import GROUP
from seatrial.api.crd import crds
from seatrial.cli.doctor.model import Check, State
from seatrial.cli.exits import CliError
from seatrial.errors import ClusterError, ForbiddenError, NotFoundError
from seatrial.naming import STATUS_CONFIG_MAP

if TYPE_CHECKING:
    from seatrial.cli.cluster import RunCluster
    from seatrial.cli.options import Where

LEAST_KUBERNETES = (1, 29)
"""The first version whose native sidecars are on by default."""
_AREA = "cluster"
_INSTALL = "helm upgrade --install seatrial charts/seatrial --namespace seatrial-system --create-namespace"
_NAMESPACE = "seatrial-system"
_ELSEWHERE = "seatrial doctor --cluster{flags} --operator-namespace NAMESPACE, with that of the operator"
_NOTHING_SAID = (
    "the operator has not said whether the cluster enforces them: it has just started, "
    "or was told not to look (chart value networkPolicies.check)"
)
_SELECTOR = "app.kubernetes.io/name=seatrial"
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


async def check_cluster(where: Where, home: str = "") -> list[Check]:
    """All checks of the cluster. Where none was asked for, none of them fails: local runs need no cluster.

    `home` is the operator's namespace; looked for when empty, which takes the right to list all Deployments.
    """
    from seatrial.cli.cluster import connect

    worst = State.FAIL if where.explicit else State.WARN
    try:
        async with connect(where) as cluster:
            try:
                version = await cluster.ask("GET", "/version")
            except ClusterError as error:
                advice = f"kubectl{where.flags} version"
                return [Check(_AREA, "connection", worst, f"{cluster.server} does not answer: {error}", advice)]
            return [
                _kubernetes(cluster.server, version, worst),
                *[await _crd(cluster, definition, worst) for definition in crds()],
                await _operator(cluster, worst, home),
                await _network_policies(cluster, home),
                *[await _may(cluster, verb, resource, worst) for verb, resource in _RIGHTS],
            ]
    except CliError as error:
        return [
            Check(
                _AREA, "connection", worst, error.message, "" if not where.explicit else "kubectl config get-contexts"
            )
        ]


def _kubernetes(server: str, version: dict[str, Any], worst: State) -> Check:
    text = str(version.get("gitVersion", "?"))
    seen = f"Kubernetes {text} at {server}"
    numbers = re.match(r"v?(\d+)\.(\d+)", text)
    if numbers and (int(numbers[1]), int(numbers[2])) < LEAST_KUBERNETES:
        return Check(
            _AREA, "connection", worst, seen, "Seatrial needs Kubernetes {}.{} or later".format(*LEAST_KUBERNETES)
        )
    return Check(_AREA, "connection", State.OK, seen)


async def _crd(cluster: RunCluster, ours: dict[str, Any], worst: State) -> Check:
    name = ours["metadata"]["name"]
    title = f"kind {ours['spec']['names']['kind']}"
    try:
        found = await cluster.ask("GET", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}")
    except NotFoundError:
        return Check(_AREA, title, worst, f"{name} is not installed", _INSTALL)
    except ForbiddenError:
        return Check(_AREA, title, State.WARN, f"{name}: you may not read CustomResourceDefinitions")
    except ClusterError as error:
        return Check(_AREA, title, worst, f"{name}: {error}")
    mine, theirs = fields(_schema(ours)), fields(_schema(found))
    if mine == theirs:
        return Check(_AREA, title, State.OK, f"{name}, as this version has it")
    lacking, more = sorted(mine - theirs), sorted(theirs - mine)
    said = [f"it lacks {', '.join(lacking[:3])}"] if lacking else []
    said += [f"it has {', '.join(more[:3])} which this version does not know"] if more else []
    advice = _INSTALL if lacking else "pip install --upgrade seatrial"
    return Check(_AREA, title, State.WARN, f"{name} is of another version: {'; '.join(said)}", advice)


def _schema(definition: dict[str, Any]) -> dict[str, Any]:
    versions = (definition.get("spec") or {}).get("versions") or [{}]
    schema = (versions[-1].get("schema") or {}).get("openAPIV3Schema") or {}
    return dict(schema)


def fields(schema: dict[str, Any], path: str = "") -> frozenset[str]:
    """The path of every field of a schema."""
    found: set[str] = set()
    for name, member in (schema.get("properties") or {}).items():
        here = f"{path}.{name}" if path else name
        found |= {here} | fields(member, here)
    items = schema.get("items")
    return frozenset(found | fields(items, f"{path}[]")) if isinstance(items, dict) else frozenset(found)


async def _operator(cluster: RunCluster, worst: State, home: str) -> Check:
    name = "operator"
    try:
        answer = await cluster.ask("GET", _operators(home), query=[("labelSelector", _SELECTOR)])
    except ForbiddenError:
        where = f"in namespace {home}" if home else "of all namespaces"
        advice = f"kubectl{cluster.where.cluster_flags} auth can-i list deployments.apps" + (
            f" -n {home}" if home else " --all-namespaces"
        )
        return Check(_AREA, name, State.WARN, f"you may not list Deployments {where}: not looked at", advice)
    except ClusterError as error:
        return Check(_AREA, name, worst, str(error))
    items = answer.get("items") or []
    if not items:
        there = f" in namespace {home}" if home else ""
        return Check(_AREA, name, worst, f"no Deployment{there} has the label {_SELECTOR}", _INSTALL)
    metadata, status = items[0]["metadata"], items[0].get("status") or {}
    place = f"{metadata['namespace']}/{metadata['name']}"
    if not status.get("readyReplicas"):
        flags = cluster.where.flags.partition(" -n ")[0]
        advice = f"kubectl{flags} -n {metadata['namespace']} describe deployment {metadata['name']}"
        return Check(_AREA, name, worst, f"{place} is not ready", advice)
    version = (metadata.get("labels") or {}).get("app.kubernetes.io/version", "?")
    if version != __version__:
        seen = f"{place} is ready, version {version}; this is {__version__}"
        return Check(_AREA, name, State.WARN, seen, "install the same version of both")
    return Check(_AREA, name, State.OK, f"{place} is ready, version {version}")


async def _network_policies(cluster: RunCluster, home: str) -> Check:
    """What the operator has found out when it started; everybody may read it."""
    name = "network policies"
    guessed, flags = "", cluster.where.cluster_flags
    namespace = home
    try:
        if not namespace:
            namespace, guessed = await _home(cluster)
        found = await cluster.ask("GET", f"/api/v1/namespaces/{namespace}/configmaps/{STATUS_CONFIG_MAP}")
    except ClusterError as error:
        seen = f"not known whether the cluster enforces them: {error}{guessed}"
        command = f"kubectl{flags} -n {namespace or _NAMESPACE} get configmap {STATUS_CONFIG_MAP}"
        return Check(_AREA, name, State.WARN, seen, _ELSEWHERE.format(flags=flags) if guessed else command)
    data = found.get("data") or {}
    said = str(data.get("networkPoliciesMessage") or _NOTHING_SAID)
    if data.get("networkPoliciesEnforced") == "True":
        return Check(_AREA, name, State.OK, f"enforced: {said}")
    advice = f"kubectl{flags} -n {namespace} logs deployment/seatrial; see docs/security.md, Isolation"
    return Check(_AREA, name, State.WARN, said, advice)


def _operators(namespace: str) -> str:
    return f"/apis/apps/v1/namespaces/{namespace}/deployments" if namespace else "/apis/apps/v1/deployments"


async def _home(cluster: RunCluster) -> tuple[str, str]:
    """The operator's namespace, and, where Deployments may not be listed, that it is the one which the guide names."""
    try:
        answer = await cluster.ask("GET", _operators(""), query=[("labelSelector", _SELECTOR)])
    except ForbiddenError:
        return _NAMESPACE, f" (looked in {_NAMESPACE}, since you may not list Deployments of all namespaces)"
    found = answer.get("items") or [{}]
    return str((found[0].get("metadata") or {}).get("namespace", _NAMESPACE)), ""


_RIGHTS = (
    ("create", "testruns"),
    ("list", "testruns"),
    ("patch", "testruns"),
    ("delete", "testruns"),
    ("list", "testresultslices"),
)


async def _may(cluster: RunCluster, verb: str, resource: str, worst: State) -> Check:
    """Whether the user may do something in the namespace that is meant."""
    attributes = {"namespace": cluster.namespace, "verb": verb, "group": GROUP, "resource": resource}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    name = f"may {verb} {resource}"
    try:
        answer = await cluster.ask("POST", _REVIEWS, body=review)
    except ClusterError as error:
        return Check(_AREA, name, State.WARN, f"cannot be asked: {error}")
    if (answer.get("status") or {}).get("allowed"):
        return Check(_AREA, name, State.OK, f"in namespace {cluster.namespace}")
    state = worst if verb in {"create", "list"} else State.WARN
    advice = f"ask whoever administers namespace {cluster.namespace} for the right to {verb} {resource}.{GROUP}"
    return Check(_AREA, name, state, f"not in namespace {cluster.namespace}", advice)
