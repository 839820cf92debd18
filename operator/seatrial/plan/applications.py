"""The systems under test, as Deployments beside the services."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seatrial.naming import COMPONENT_LABEL, NAME_LABEL, RUN_UID_LABEL, RunId, component_labels
from seatrial.plan.environment import connection_variables
from seatrial.plan.model import PlannedApplication
from seatrial.plan.pods import (
    container_security,
    headless_service,
    memory_volume,
    merge_variables,
    metadata,
    mount,
    pod_spec,
    user_resources,
    user_variables,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seatrial.api.spec import Application
    from seatrial.plan.model import Object, PlannedService

COMPONENT = "application"
SETTLE_SECONDS = 2.0
"""How long a container that has no check must keep running: the kubelet notices within a second that one has ended."""


def plan_application(
    run: RunId, application: Application, services: Sequence[PlannedService], pull_policy: str
) -> PlannedApplication:
    """One Deployment of one replica, and a headless Service of the same name."""
    labels = component_labels(run, COMPONENT, application.name)
    # With the component: a suite may have the same name.
    selector = {RUN_UID_LABEL: run.uid, COMPONENT_LABEL: COMPONENT, NAME_LABEL: application.name}
    ports = {port.name: port.port for port in application.ports}
    variables, copies = user_variables(application.env)
    container: Object = {
        "name": application.name,
        "image": application.image,
        "imagePullPolicy": pull_policy,
        "ports": [{"name": name, "containerPort": number} for name, number in ports.items()],
        "env": merge_variables(connection_variables(services), variables),
        "resources": user_resources(application.resources, cpu="50m", memory="256Mi"),
        "securityContext": container_security(),
        "volumeMounts": [mount("tmp", "/tmp")],  # noqa: S108
    }
    if application.command:
        container["command"] = list(application.command)
    if application.args:
        container["args"] = list(application.args)
    check, environment = _readiness(application, ports)
    if check:
        container["readinessProbe"] = {**check, "periodSeconds": 1, "timeoutSeconds": 1, "failureThreshold": 1}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(run, application.name, labels),
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "revisionHistoryLimit": 0,
            "selector": {"matchLabels": selector},
            "template": {
                "metadata": {"labels": labels},
                "spec": pod_spec(
                    user=application.run_as_user,
                    containers=[container],
                    volumes=[memory_volume("tmp", "64Mi")],
                ),
            },
        },
    }
    resolves_when_ready = "resolves" in environment["ready"]
    return PlannedApplication(
        name=application.name,
        image=application.image,
        deployment=deployment,
        service=headless_service(
            run, application.name, labels, selector, ports, publish_not_ready=not resolves_when_ready
        ),
        environment=environment,
        copies=tuple(copies),
    )


def _readiness(application: Application, ports: dict[str, int]) -> tuple[Object | None, Object]:
    """The kubelet's probe, and how the environment pod finds out: directly where it can, not through the probe."""
    ready = application.ready
    if ready is not None and ready.http is not None:
        port = ports[ready.http.port]
        probe = {"httpGet": {"path": ready.http.path, "port": port}}
        return probe, {"name": application.name, "ready": {"http": {"path": ready.http.path, "port": port}}}
    if ready is not None and ready.tcp is not None:
        port = ports[ready.tcp.port]
        return {"tcpSocket": {"port": port}}, {"name": application.name, "ready": {"tcp": {"port": port}}}
    # The headless Service's name resolves once the pod is Ready: the only sign that reaches other pods.
    if ready is not None and ready.exec is not None:
        probe = {"exec": {"command": list(ready.exec.command)}}
        return probe, {"name": application.name, "ready": {"resolves": {"seconds": 0}}}
    return None, {"name": application.name, "ready": {"resolves": {"seconds": SETTLE_SECONDS}}}
