"""The environment pod: it checks and seeds the services from inside, and opens the gate."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from seatrial.naming import CONNECTION_SECRET, ENVIRONMENT, GATE_PORT, component_labels, run_labels
from seatrial.plan.model import PlanError
from seatrial.plan.pods import (
    config_map_volume,
    connection_variable,
    container_security,
    headless_service,
    metadata,
    mount,
    pod_spec,
    resources,
)
from seatrial.plan.services.postgres import INIT_SQL_FOLDER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seatrial.naming import RunId
    from seatrial.plan.addresses import Addresses
    from seatrial.plan.model import Object, PlannedApplication, PlannedService
    from seatrial.settings import Images

AGENT_USER = 65532
PRIVATE_VARIABLES = frozenset({"INFLUXDB_PASSWORD"})
"""Connection variables that only the environment pod gets."""
INPUT_KEY = "environment.json"
MAX_INPUT = 96 << 10
"""Linux allows 128 KiB for one variable (MAX_ARG_STRLEN, execve(2))."""


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
    addresses: Addresses,
) -> Object:
    """The ConfigMap with environment.json. Raises PlanError when it is too long for a variable."""
    content = {
        "deadlineSeconds": deadline_seconds,
        "gatePort": addresses.find(ENVIRONMENT, GATE_PORT).port,
        "services": [service.environment for service in services],
        "applications": [application.environment for application in applications],
    }
    text = json.dumps(content, indent=1)
    if len(text) > MAX_INPUT:
        raise PlanError(
            "InvalidSpec",
            f"what the environment pod has to check and to seed takes {len(text)} characters, at most {MAX_INPUT} are "
            "allowed: declare fewer topics in spec.services, or less config for them",
        )
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(run, ENVIRONMENT, run_labels(run)),
        "data": {INPUT_KEY: text},
    }


def environment_pod(run: RunId, images: Images, services: Sequence[PlannedService]) -> tuple[Object, Object]:
    """The pod and its Service.

    Without SQL it has no volume: the kubelet looks only after 0.3 s whether volumes are mounted.
    """
    labels = component_labels(run, ENVIRONMENT, ENVIRONMENT)
    volumes: list[Object] = []
    mounts: list[Object] = []
    source = {"configMapKeyRef": {"name": ENVIRONMENT, "key": INPUT_KEY}}
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
                    "ports": [{"name": "gate", "containerPort": GATE_PORT}],
                    "env": [
                        {"name": "SEATRIAL_ENVIRONMENT", "valueFrom": source},
                        *connection_variables(services, private=True),
                    ],
                    "resources": resources("50m", "64Mi", "256Mi"),
                    "securityContext": container_security(),
                    "volumeMounts": mounts,
                }
            ],
            volumes=volumes,
        ),
    }
    gate = headless_service(run, ENVIRONMENT, labels, labels, {"gate": GATE_PORT}, publish_not_ready=True)
    return gate, pod
