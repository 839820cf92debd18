"""The floor's manifests: what the same environment and suite look like without Seatrial, as people write them.

They are made from the operator's own plan, so that images, versions, arguments, resources and security are the same
ones. What differs is what plain manifests have to do differently:

* Services have a ClusterIP and lead to ready pods only.
* Each server has a readiness probe with a period of one second: `tcpSocket`, for PostgreSQL `pg_isready`, for InfluxDB
  its /health. (Topics, organisation and bucket are not created: the floor does less than Seatrial does.)
* The suite is a Job of plain `pytest -q` in the same image. There is no relay, no gate and no environment pod.
* There is no quota, no limit range and no network policy.

`python -m bench.floor` prints them.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from bench.cases import TESTS
from seatrial.api import parse_spec
from seatrial.apply import draw_secrets
from seatrial.naming import RunId
from seatrial.plan import make_plan
from seatrial.plan.pods import SERVICE_ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.api import Object
    from seatrial.settings import Settings

JOB = "tests"
PROBES: dict[str, Object] = {
    "kafka": {"tcpSocket": {"port": 9092}},
    "redis": {"tcpSocket": {"port": 6379}},
    "postgres": {"exec": {"command": ["pg_isready", "--host=127.0.0.1", "--quiet"]}},
    "influxdb": {"httpGet": {"path": "/health", "port": 8086}},
}


def manifests(
    namespace: str, services: Mapping[str, Any], suite: str, settings: Settings
) -> tuple[list[Object], Object]:
    """The environment, in the order in which it is applied, and the Job."""
    spec = parse_spec(
        {"services": dict(services), "suites": [{"name": JOB, "testsFrom": {"configMapRef": {"name": suite}}}]}
    )
    plan = make_plan(RunId("floor", "floor", "floor"), spec, settings, {})
    labels = {"app.kubernetes.io/part-of": "floor"}
    secure = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    environment: list[Object] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels | secure}},
        _object(namespace, "v1", "ServiceAccount", SERVICE_ACCOUNT),
        _object(namespace, "v1", "ConfigMap", "tests") | {"data": TESTS[suite]},
        _object(namespace, "v1", "Secret", "connection") | {"stringData": draw_secrets(plan.connection)["stringData"]},
    ]
    for service in plan.services:
        ports = service.service["spec"]["ports"]
        environment.append(
            _object(namespace, "v1", "Service", service.name)
            | {"spec": {"selector": {"app.kubernetes.io/name": service.name}, "ports": ports}}
        )
    for service in plan.services:
        pod = copy.deepcopy(service.pod["spec"])
        pod["containers"][0]["readinessProbe"] = {**PROBES[service.name], "periodSeconds": 1}
        environment.append(_object(namespace, "v1", "Pod", service.name) | {"spec": pod})
    return environment, _job(namespace, plan.suites[0].job)


def _object(namespace: str, version: str, kind: str, name: str) -> Object:
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "floor"}
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


def _job(namespace: str, planned: Object) -> Object:
    """The suite's Job without everything that is Seatrial's."""
    pod = copy.deepcopy(planned["spec"]["template"]["spec"])
    del pod["initContainers"]
    suite = pod["containers"][0]
    suite["command"] = ["pytest", "-q", "-p", "no:cacheprovider"]
    # The image has the plugin; without its supervisor it would have nobody to write to.
    suite["env"] = [entry for entry in suite["env"] if not entry["name"].startswith("SEATRIAL_")]
    suite["env"].append({"name": "PYTHONDONTWRITEBYTECODE", "value": "1"})
    suite["volumeMounts"] = [entry for entry in suite["volumeMounts"] if entry["name"] in {"tmp", "tests"}]
    pod["volumes"] = [entry for entry in pod["volumes"] if entry["name"] in {"tmp", "tests"}]
    for volume in pod["volumes"]:
        if volume["name"] == "tests":
            volume["configMap"] = {"name": "tests"}
    template = {"metadata": {"labels": {"app.kubernetes.io/name": JOB}}, "spec": pod}
    return _object(namespace, "batch/v1", "Job", JOB) | {"spec": {"backoffLimit": 0, "template": template}}
