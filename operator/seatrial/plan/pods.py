"""Fragments that every pod of a run shares: restricted security, memory volumes, no token, no service links."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seatrial.naming import CONNECTION_SECRET, RunId, copied_config_map, copied_secret, run_namespace
from seatrial.plan.model import Copy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from seatrial.api.spec import EnvVar, Resources
    from seatrial.plan.model import Object
    from seatrial.settings import RunPods

SERVICE_ACCOUNT = "run"
GRACE_SECONDS = 1
"""The environment is thrown away: what does not stop at once is killed."""


def metadata(run: RunId, name: str, labels: Mapping[str, str]) -> Object:
    """Metadata of an object in the run's namespace."""
    return {"name": name, "namespace": run_namespace(run), "labels": dict(labels)}


def pod_spec(*, grace_seconds: int = GRACE_SECONDS, user: int | None = None, **more: Any) -> Object:
    """Fields of every pod; `user` pins user, group and file system group."""
    security: Object = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    if user is not None:
        security |= {"runAsUser": user, "runAsGroup": user, "fsGroup": user, "fsGroupChangePolicy": "OnRootMismatch"}
    return {
        "serviceAccountName": SERVICE_ACCOUNT,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": grace_seconds,
        "securityContext": security,
        **more,
    }


def placement(wanted: RunPods) -> Object:
    """The fields of a pod's spec that an administrator sets for all runs."""
    fields: Object = wanted.model_dump(mode="json", by_alias=True)
    return {name: value for name, value in fields.items() if value}


def container_security() -> Object:
    """What Pod Security's restricted level asks of a container, and a read-only root."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def memory_volume(name: str, size: str) -> Object:
    """An empty volume in memory; it counts against the memory limits of the pod's containers."""
    return {"name": name, "emptyDir": {"medium": "Memory", "sizeLimit": size}}


def config_map_volume(name: str, config_map: str) -> Object:
    return {"name": name, "configMap": {"name": config_map}}


def mount(name: str, path: str, *, read_only: bool = False) -> Object:
    return {"name": name, "mountPath": path, **({"readOnly": True} if read_only else {})}


def variable(name: str, value: str) -> Object:
    return {"name": name, "value": value}


def merge_variables(*groups: Iterable[Object]) -> list[Object]:
    """Variables of which each name is there once, as lists that are maps must be; a later group outweighs a former."""
    merged = {entry["name"]: entry for group in groups for entry in group}
    return list(merged.values())


def connection_variable(name: str, key: str | None = None) -> Object:
    """A variable from the run's Secret."""
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": CONNECTION_SECRET, "key": key or name}}}


def resources(cpu: str, memory: str, memory_limit: str | None = None) -> Object:
    """Requests and a memory limit. There is no CPU limit: throttling would only make waiting longer."""
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory_limit or memory}}


def user_resources(wanted: Resources, *, cpu: str, memory: str) -> Object:
    """What the spec asks for, with defaults where it is silent."""
    requests = wanted.requests.model_dump(exclude_none=True)
    limits = wanted.limits.model_dump(exclude_none=True)
    limits.setdefault("memory", requests.get("memory", memory))
    requests.setdefault("cpu", limits.get("cpu", cpu))
    requests.setdefault(
        "memory", limits["memory"] if "memory" in wanted.limits.model_dump(exclude_none=True) else memory
    )
    return {"requests": requests, "limits": limits}


_CPU = {"m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}


def cores(quantity: str) -> float:
    """Cores of an amount of CPU."""
    number = quantity.rstrip("".join(_CPU))
    return float(number) * _CPU.get(quantity[len(number) :], 1.0)


def bound_cpu(spec: Object, default: str) -> None:
    """Let containers that ask for more CPU than the namespace's default limit have as much as they ask for."""
    for container in (*spec.get("initContainers", ()), *spec["containers"]):
        wanted = container["resources"]
        asked = wanted["requests"].get("cpu", "0")
        if "cpu" not in wanted["limits"] and cores(asked) > cores(default):
            wanted["limits"]["cpu"] = asked


def user_variables(env: Iterable[EnvVar]) -> tuple[list[Object], list[Copy]]:
    """Variables of the spec, pointing at copies of the tenant's objects, and the copies that this takes."""
    variables: list[Object] = []
    copies: list[Copy] = []
    for entry in env:
        source = entry.value_from
        if source is None:
            variables.append(variable(entry.name, entry.value or ""))
        elif source.secret_key_ref is not None:
            ref = source.secret_key_ref
            copies.append(Copy("Secret", ref.name, copied_secret(ref.name)))
            selector = {"name": copied_secret(ref.name), "key": ref.key}
            variables.append({"name": entry.name, "valueFrom": {"secretKeyRef": selector}})
        elif source.config_map_key_ref is not None:
            ref = source.config_map_key_ref
            copies.append(Copy("ConfigMap", ref.name, copied_config_map(ref.name)))
            selector = {"name": copied_config_map(ref.name), "key": ref.key}
            variables.append({"name": entry.name, "valueFrom": {"configMapKeyRef": selector}})
    return variables, copies


def headless_service(
    run: RunId,
    name: str,
    labels: Mapping[str, str],
    selector: Mapping[str, str],
    ports: Mapping[str, int],
    *,
    publish_not_ready: bool,
) -> Object:
    """A Service without a virtual address: the name resolves to the pod, kube-proxy has no part in it."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(run, name, labels),
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": publish_not_ready,
            "selector": dict(selector),
            **(
                {"ports": [{"name": port, "port": number, "targetPort": number} for port, number in ports.items()]}
                if ports
                else {}
            ),
        },
    }
