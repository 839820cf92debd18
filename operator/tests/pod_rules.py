"""What every pod of a run must be: Pod Security's level "restricted", and what this product asks for beyond it.

The rules of the level are those of https://kubernetes.io/docs/concepts/security/pod-security-standards/.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Object = dict[str, Any]

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
}
UNITS = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "k": 10**3, "M": 10**6, "G": 10**9}


def size_of(quantity: str) -> float:
    """Bytes of an amount of memory."""
    for unit, factor in UNITS.items():
        if quantity.endswith(unit):
            return float(quantity.removesuffix(unit)) * factor
    return float(quantity)


def problems(spec: Object) -> list[str]:
    """What is wrong with a pod's spec; empty when nothing is."""
    return [*_of_the_pod(spec), *_of_the_volumes(spec), *_of_the_containers(spec)]


def containers_of(spec: Object) -> list[Object]:
    return [*(spec.get("initContainers") or ()), *spec["containers"], *(spec.get("ephemeralContainers") or ())]


def _of_the_pod(spec: Object) -> Iterator[str]:
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(name):
            yield f"{name} is set"
    if spec.get("automountServiceAccountToken") is not False:
        yield "a service account token is mounted"
    if spec.get("enableServiceLinks") is not False:
        yield "service links are on: names of other pods become variables"
    if not spec.get("serviceAccountName"):
        yield "it runs as the namespace's default service account"
    security = spec.get("securityContext") or {}
    for sysctl in security.get("sysctls") or ():
        if sysctl["name"] not in SYSCTLS:
            yield f"the sysctl {sysctl['name']} is not a safe one"
    names = [container["name"] for container in containers_of(spec)]
    if len(names) != len(set(names)):
        yield f"two containers have the same name: {names}"


def _of_the_volumes(spec: Object) -> Iterator[str]:
    volumes = spec.get("volumes") or ()
    names = [volume["name"] for volume in volumes]
    if len(names) != len(set(names)):
        yield f"two volumes have the same name: {names}"
    in_memory = 0.0
    for volume in volumes:
        kinds = set(volume) - {"name"}
        if not kinds <= VOLUMES:
            yield f"volume {volume['name']} is of the kind {', '.join(kinds)}"
        empty = volume.get("emptyDir")
        if empty is not None:
            if empty.get("medium") != "Memory" or "sizeLimit" not in empty:
                yield f"volume {volume['name']} is not a bounded one in memory"
            else:
                in_memory += size_of(empty["sizeLimit"])
    limits = [((item.get("resources") or {}).get("limits") or {}).get("memory", "0") for item in containers_of(spec)]
    if in_memory >= sum(map(size_of, limits)):
        yield f"the volumes in memory may take {in_memory:.0f} bytes, which is all that the containers may use"


def _of_the_containers(spec: Object) -> Iterator[str]:
    pod = spec.get("securityContext") or {}
    volumes = {volume["name"] for volume in spec.get("volumes") or ()}
    for container in containers_of(spec):
        for problem in _of_one_container(container, pod, volumes):
            yield f"container {container['name']}: {problem}"


def _of_one_container(container: Object, pod: Object, volumes: set[str]) -> Iterator[str]:
    security = container.get("securityContext") or {}
    capabilities = security.get("capabilities") or {}
    if security.get("privileged"):
        yield "it is privileged"
    if security.get("allowPrivilegeEscalation") is not False:
        yield "it may escalate its privileges"
    if "ALL" not in (capabilities.get("drop") or ()):
        yield "it keeps capabilities"
    if not set(capabilities.get("add") or ()) <= {"NET_BIND_SERVICE"}:
        yield f"it adds capabilities {capabilities['add']}"
    if security.get("procMount", "Default") != "Default":
        yield "its /proc is not masked"
    if security.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
        yield "it may run as root"
    if security.get("runAsUser", pod.get("runAsUser")) == 0:
        yield "it runs as root"
    seccomp = security.get("seccompProfile") or pod.get("seccompProfile") or {}
    if seccomp.get("type") not in {"RuntimeDefault", "Localhost"}:
        yield "it has no seccomp profile"
    if security.get("readOnlyRootFilesystem") is not True:
        yield "its root is writable"
    if any(port.get("hostPort") for port in container.get("ports") or ()):
        yield "it takes a port of the node"
    resources = container.get("resources") or {}
    for name in ("requests", "limits"):
        if "memory" not in (resources.get(name) or {}):
            yield f"it has no memory {name}"
    mounts = container.get("volumeMounts") or ()
    paths = [mount["mountPath"] for mount in mounts]
    if len(paths) != len(set(paths)):
        yield f"it mounts two volumes at the same place: {paths}"
    yield from (f"it mounts {mount['name']}, which is no volume" for mount in mounts if mount["name"] not in volumes)
    variables = [entry["name"] for entry in container.get("env") or ()]
    yield from (f"the variable {name} is there twice" for name in sorted(set(variables)) if variables.count(name) > 1)
