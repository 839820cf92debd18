"""What the pods of backing services share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seatrial.naming import RunId, component_labels
from seatrial.plan.model import PlannedService
from seatrial.plan.pods import container_security, headless_service, metadata, mount, pod_spec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from seatrial.plan.model import Copy, Object

COMPONENT = "service"


def planned_service(
    run: RunId,
    name: str,
    image: str,
    *,
    pull_policy: str,
    user: int,
    ports: Mapping[str, int],
    resources: Object,
    volumes: Sequence[tuple[Object, str]],
    variables: dict[str, str],
    environment: Object,
    args: Sequence[str] = (),
    env: Sequence[Object] = (),
    copies: tuple[Copy, ...] = (),
    init_sql: str | None = None,
) -> PlannedService:
    """A bare pod (a service that dies is a verdict, not something to heal behind the tests' back) and its Service."""
    labels = component_labels(run, COMPONENT, name)
    container: Object = {
        "name": name,
        "image": image,
        "imagePullPolicy": pull_policy,
        "ports": [{"name": port, "containerPort": number} for port, number in ports.items()],
        "env": list(env),
        "resources": resources,
        "securityContext": container_security(),
        "volumeMounts": [mount(volume["name"], path) for volume, path in volumes],
    }
    if args:
        container["args"] = list(args)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata(run, name, labels),
        "spec": pod_spec(
            user=user, restartPolicy="Never", containers=[container], volumes=[volume for volume, _ in volumes]
        ),
    }
    service = headless_service(run, name, labels, labels, ports, publish_not_ready=True)
    return PlannedService(
        name=name,
        image=image,
        pod=pod,
        service=service,
        variables=variables,
        environment=environment,
        copies=copies,
        init_sql=init_sql,
    )
