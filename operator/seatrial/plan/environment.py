"""The environment pod: it checks and seeds the services from inside, and opens the gate."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from seatrial.naming import CONNECTION_SECRET, ENVIRONMENT, GATE_PORT, component_labels, run_labels
from seatrial.plan.pods import (
    config_map_volume,
    connection_variable,
    container_security,
    headless_service,
    memory_volume,
    metadata,
    mount,
    pod_spec,
    resources,
)
from seatrial.plan.services.postgres import INIT_SQL_FOLDER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seatrial.naming import RunId
    from seatrial.plan.model import Object, PlannedApplication, PlannedService
    from seatrial.settings import Images

AGENT_USER = 65532
PRIVATE_VARIABLES = frozenset({"INFLUXDB_PASSWORD"})
"""Connection variables that only the environment pod gets."""


def connection_secret(run: RunId, services: Sequence[PlannedService]) -> Object:
    """The Secret with all connection variables; placeholders stand for random secrets."""
    variables = {name: value for service in services for name, value in service.variables.items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata(run, CONNECTION_SECRET, run_labels(run)),
        "type": "Opaque",
        "immutable": True,
        "stringData": variables,
    }


def connection_variables(services: Sequence[PlannedService], *, private: bool = False) -> list[Object]:
    """The connection variables of a container, each a reference to the Secret."""
    names = sorted(name for service in services for name in service.variables)
    return [connection_variable(name) for name in names if private or name not in PRIVATE_VARIABLES]


def environment_input(
    run: RunId,
    services: Sequence[PlannedService],
    applications: Sequence[PlannedApplication],
    deadline_seconds: float,
) -> Object:
    """The ConfigMap with environment.json."""
    content = {
        "deadlineSeconds": deadline_seconds,
        "gatePort": GATE_PORT,
        "services": [service.environment for service in services],
        "applications": [application.environment for application in applications],
    }
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(run, ENVIRONMENT, run_labels(run)),
        "data": {"environment.json": json.dumps(content, indent=1)},
    }


def environment_pod(run: RunId, images: Images, services: Sequence[PlannedService]) -> tuple[Object, Object]:
    """The pod and its Service."""
    labels = component_labels(run, ENVIRONMENT, ENVIRONMENT)
    volumes = [config_map_volume("input", ENVIRONMENT), memory_volume("tmp", "16Mi")]
    mounts = [mount("input", "/etc/seatrial/input", read_only=True), mount("tmp", "/tmp")]  # noqa: S108
    for service in services:
        if service.init_sql:
            volumes.append(config_map_volume("init-sql", service.init_sql))
            mounts.append(mount("init-sql", INIT_SQL_FOLDER, read_only=True))
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata(run, ENVIRONMENT, labels),
        "spec": pod_spec(
            user=AGENT_USER,
            restartPolicy="Never",
            containers=[
                {
                    "name": ENVIRONMENT,
                    "image": images.agent,
                    "imagePullPolicy": images.pull_policy,
                    "command": ["python", "-m", "seatrial.agent.environment"],
                    "args": ["/etc/seatrial/input/environment.json"],
                    "ports": [{"name": "gate", "containerPort": GATE_PORT}],
                    "env": connection_variables(services, private=True),
                    "resources": resources("100m", "64Mi", "256Mi"),
                    "securityContext": container_security(),
                    "volumeMounts": mounts,
                }
            ],
            volumes=volumes,
        ),
    }
    gate = headless_service(run, ENVIRONMENT, labels, labels, {"gate": GATE_PORT}, publish_not_ready=True)
    return gate, pod
