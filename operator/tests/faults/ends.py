"""The runs that end badly, each with the phase and the reason that it must get: rows of the fault matrix by pods."""

from __future__ import annotations

from typing import Any

from hack.kubelet import Script

from .kinds import STARTED, Kind

HOG = {"resources": {"requests": {"cpu": "20000"}}}
"""More than all nodes have, and less than the quota."""
GREEDY = {"resources": {"requests": {"memory": "100Gi"}, "limits": {"memory": "100Gi"}}}
"""More than the quota."""


def script(**members: Any) -> Script:
    return Script.model_validate(members)


def end(name: str, phase: str, reason: str, **more: Any) -> Kind:
    """A run with one suite of one shard."""
    suites = more.pop("suites", {"core": script(**more.pop("core", {"tests": 5}))})
    return Kind(name, phase, suites, {}, reason=reason, **more)


def service(**members: Any) -> dict[str, Any]:
    """What the pod of Redis does."""
    return {"scripts": {"service/redis": script(**members)}}


def stuck(reason: str, message: str) -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


def environment(name: str, reason: str, message: str) -> dict[str, Any]:
    """The environment pod gives up."""
    failed = {"kind": "service", "name": name, "reason": reason, "message": message}
    return {"scripts": {"environment/environment": script(failed=failed)}}


HANGS = {"tests": 5, "hangAfter": STARTED}
TOTAL = {"timeouts": {"provision": "15s", "total": "15s"}}
PROVISION = {"timeouts": {"provision": "8s"}}

ENDS = (
    end("15-service-killed", "Error", "ServiceFailed", core=HANGS, dies=("service", "redis")),
    end("15-application-crashes", "Error", "ApplicationFailed", core=HANGS, dies=("application", "app")),
    end(
        "17-service-image",
        "Error",
        "ImagePullFailed",
        early=True,
        **service(**stuck("ImagePullBackOff", "no tag")),
    ),
    end("17-suite-image", "Error", "ImagePullFailed", early=True, core=stuck("ErrImagePull", "denied")),
    end("17-image-name", "Error", "InvalidImage", early=True, core=stuck("InvalidImageName", "invalid format")),
    end(
        "17-config",
        "Error",
        "ContainerRefused",
        early=True,
        core=stuck("CreateContainerConfigError", "runs as root"),
    ),
    end("18-no-room", "Error", "Unschedulable", early=True, suite=HOG, spec=PROVISION),
    end("18-service-pending", "Error", "ProvisionTimeout", early=True, spec=PROVISION, **service(pending=True)),
    end("19-quota", "Error", "PodRefused", early=True, suite=GREEDY),
    end("21-out-of-memory", "Error", "OOMKilled", core={"tests": 5, "oom": True}),
    end("22-segfault", "Error", "SuiteCrashed", core={"tests": 5, "exitAfter": 2, "rc": 139}),
    end("22-exit-0", "Error", "Incomplete", core={"tests": 5, "exitAfter": 2, "rc": 0}),
    end("23-hang", "Error", "Timeout", core=HANGS, early=True, spec=TOTAL),
    end("25-usage-error", "Error", "UsageError", core={"tests": 0, "rc": 4}),
    end("25-no-tests", "Error", "NoTestsCollected", core={"tests": 0, "rc": 5}),
    end("27-lost-record", "Error", "Incomplete", core={"tests": 5, "lostRecords": [5]}),
    end("27-lost-end", "Error", "Incomplete", core={"tests": 5, "lostRecords": [10]}),
    end("28-flood", "Error", "Incomplete", core={"tests": 5, "floodLines": 300}),
    end(
        "29-failures",
        "Failed",
        "TestsFailed",
        scripts={"suite/core": script(tests=2500, fail=list(range(2500)))},  # too long for a variable
    ),
    end("44-seed", "Error", "SeedFailed", **environment("postgres", "SeedFailed", "syntax error at or near")),
    end("44-password", "Error", "ServiceNotReady", **environment("redis", "ServiceNotReady", "WRONGPASS invalid")),
)
