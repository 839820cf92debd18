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
    variable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from seatrial.api.spec import Application
    from seatrial.plan.addresses import Address, Addresses
    from seatrial.plan.model import Object, PlannedService

COMPONENT = "application"
SETTLE_SECONDS = 2.0
"""How long a container that has no check must keep running: the kubelet notices within a second that one has ended."""


def plan_application(  # noqa: PLR0917  (called in one place)
    run: RunId,
    application: Application,
    services: Sequence[PlannedService],
    variables: Mapping[str, str],
    pull_policy: str,
    addresses: Addresses,
) -> PlannedApplication:
    """One Deployment of one replica, and a headless Service of the same name. `variables` tell where the others are."""
    labels = component_labels(run, COMPONENT, application.name)
    # With the component: a suite may have the same name.
    selector = {RUN_UID_LABEL: run.uid, COMPONENT_LABEL: COMPONENT, NAME_LABEL: application.name}
    ports = {port.name: port.port for port in application.ports}
    own, copies = user_variables(application.env)
    others = [variable(name, value) for name, value in variables.items()]
    container: Object = {
        "name": application.name,
        "image": application.image,
        "imagePullPolicy": pull_policy,
        "ports": [{"name": name, "containerPort": number} for name, number in ports.items()],
        "env": merge_variables(others, connection_variables(services), own),
        "resources": user_resources(application.resources, cpu="25m", memory="256Mi"),
        "securityContext": container_security(),
        "volumeMounts": [mount("tmp", "/tmp")],  # noqa: S108
    }
    if application.command:
        container["command"] = list(application.command)
    if application.args:
        container["args"] = list(application.args)
    check, environment = _readiness(application, ports, addresses)
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


def _readiness(application: Application, ports: dict[str, int], addresses: Addresses) -> tuple[Object | None, Object]:
    """The kubelet's probe, and how the environment pod finds out: directly where it can, not through the probe."""
    ready = application.ready
    if ready is not None and ready.http is not None:
        port = ports[ready.http.port]
        probe = {"httpGet": {"path": ready.http.path, "port": port}}
        address = addresses.find(application.name, port)
        return probe, _check(application, {"http": {"path": ready.http.path, "port": address.port}}, address)
    if ready is not None and ready.tcp is not None:
        port = ports[ready.tcp.port]
        address = addresses.find(application.name, port)
        return {"tcpSocket": {"port": port}}, _check(application, {"tcp": {"port": address.port}}, address)
    # The headless Service's name resolves once the pod is Ready: the only sign that reaches other pods.
    if ready is not None and ready.exec is not None:
        probe = {"exec": {"command": list(ready.exec.command)}}
        return probe, _check(application, _resolves(application, 0, addresses))
    return None, _check(application, _resolves(application, SETTLE_SECONDS, addresses))


def _check(application: Application, ready: Object, address: Address | None = None) -> Object:
    """An application's entry in environment.json; its host is its name unless it says otherwise."""
    elsewhere = {"host": address.host} if address is not None and address.host != application.name else {}
    return {"name": application.name, **elsewhere, "ready": ready}


def _resolves(application: Application, seconds: float, addresses: Addresses) -> Object:
    file = addresses.ready_file(application.name)
    return {"resolves": {"seconds": seconds, **({"file": file} if file else {})}}
