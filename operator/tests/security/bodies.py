"""What attempts send."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]

RUN = {"seatrial.dev/run-uid": "$my_uid"}
RESTRICTED = {
    "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
    "serviceAccountName": "run",
    "automountServiceAccountToken": False,
}
CONTAINER = {
    "name": "it",
    "image": "localhost/none:1",
    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
}
SPACE = {
    "app.kubernetes.io/managed-by": "seatrial",
    "seatrial.dev/run-uid": "11111111-2222-3333-4444-555555555555",
    "pod-security.kubernetes.io/enforce": "restricted",
}


def thing(api: str, kind: str, name: str = "attempt", labels: Object | None = None, **more: Any) -> Object:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "labels": labels or {}}, **more}


def pod_spec(**more: Any) -> Object:
    return {**RESTRICTED, "schedulerName": "nobody", "containers": [CONTAINER], **more}


def pod(labels: Object | None = None, **more: Any) -> Object:
    return thing("v1", "Pod", labels=RUN if labels is None else labels, spec=pod_spec(**more))


def job(labels: Object | None = None) -> Object:
    template = {"metadata": {"labels": labels or {}}, "spec": pod_spec(restartPolicy="Never")}
    return thing("batch/v1", "Job", labels=labels, spec={"template": template, "suspend": True})


def deployment() -> Object:
    return controller("Deployment")


def controller(kind: str) -> Object:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": pod_spec()}
    spec: Object = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
    if kind != "DaemonSet":
        spec["replicas"] = 0
    return thing("apps/v1", kind, labels=RUN, spec=spec)


def cron_job() -> Object:
    spec = {"schedule": "0 0 1 1 *", "suspend": True, "jobTemplate": {"spec": job()["spec"]}}
    return thing("batch/v1", "CronJob", labels=RUN, spec=spec)


def binding(
    role: str, *, name: str = "seatrial-operator", kind: str = "RoleBinding", who: Object | None = None
) -> Object:
    group = "rbac.authorization.k8s.io"
    subject = who or {"kind": "ServiceAccount", "name": "seatrial", "namespace": "$system"}
    ref = {"apiGroup": group, "kind": "ClusterRole", "name": role}
    return thing(f"{group}/v1", kind, name, RUN, roleRef=ref, subjects=[subject])


def namespace(name: str = "seatrial-attempt", **labels: str) -> Object:
    """A namespace as the operator makes them; an empty label is left out."""
    merged = SPACE | labels
    return thing("v1", "Namespace", name, {key: value for key, value in merged.items() if value})


def run(name: str = "attempt", suites: list[Object] | None = None, **spec: Any) -> Object:
    """A TestRun that starts nothing."""
    body = {"suites": suites or [{"name": "it"}], "suspend": True, **spec}
    return thing("seatrial.dev/v1alpha1", "TestRun", name, spec=body)


def variable(kind: str, name: str, number: int = 0) -> Object:
    selector = "secretKeyRef" if kind == "Secret" else "configMapKeyRef"
    return {"name": f"V{number}", "valueFrom": {selector: {"name": name, "key": "key"}}}


def result_slice(uid: str, *, owned: bool = True, name: str = "attempt-1") -> Object:
    owner = {"apiVersion": "seatrial.dev/v1alpha1", "kind": "TestRun", "name": "mine", "uid": "$my_uid"}
    body = thing(
        "seatrial.dev/v1alpha1",
        "TestResultSlice",
        name,
        {"seatrial.dev/run-uid": uid},
        spec={
            "run": "mine",
            "suite": "it",
            "shard": 0,
            "podUid": "x",
            "firstSequence": 1,
            "lastSequence": 1,
            "tests": [],
        },
    )
    if owned:
        body["metadata"]["ownerReferences"] = [owner]
    return body


def event(kind: str) -> Object:
    regarding = {"kind": kind, "name": "coredns", "namespace": "kube-system", "apiVersion": "v1"}
    more = {
        "eventTime": "2026-01-01T00:00:00.000000Z", "action": "a", "reason": "r", "type": "Normal", "note": "n",
        "reportingController": "seatrial.dev/operator", "reportingInstance": "x", "regarding": regarding,
    }  # fmt: skip
    return thing("events.k8s.io/v1", "Event", **more)
