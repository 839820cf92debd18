"""Redis: in memory only, with the run's password."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seatrial.plan.pods import connection_variable, resources
from seatrial.plan.services.common import planned_service

if TYPE_CHECKING:
    from seatrial.api.spec import Services
    from seatrial.naming import RunId
    from seatrial.plan.addresses import Addresses
    from seatrial.plan.model import PlannedService

NAME = "redis"
PORT = 6379
USER = 999
SCRATCH = "/dev/shm"  # noqa: S108  (every pod has it in memory, 64 MiB, with a read-only root too)
"""Where SAVE would write. A volume for it would make the kubelet look after 0.3 s whether that is mounted."""


def plan(run: RunId, image: str, pull_policy: str, services: Services, addresses: Addresses) -> PlannedService | None:
    """Plan the server; the arguments are those of the official image."""
    if services.redis is None:
        return None
    address = addresses.find(NAME, PORT)
    return planned_service(
        run,
        NAME,
        image,
        pull_policy=pull_policy,
        user=USER,
        ports={"redis": PORT},
        resources=resources("25m", "32Mi", "128Mi"),
        volumes=[],
        args=[
            "redis-server",
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            SCRATCH,
            "--requirepass",
            "$(REDIS_PASSWORD)",
        ],
        env=[connection_variable("REDIS_PASSWORD")],
        variables={
            "REDIS_HOST": address.host,
            "REDIS_PORT": str(address.port),
            "REDIS_PASSWORD": "${secret:redis}",
            "REDIS_URL": f"redis://:${{secret:redis}}@{address}/0",
        },
        environment={"kind": NAME, "name": NAME},
    )
