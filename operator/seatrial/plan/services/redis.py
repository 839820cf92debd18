"""Redis: in memory only, with the run's password."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seatrial.plan.pods import connection_variable, memory_volume, resources
from seatrial.plan.services.common import planned_service

if TYPE_CHECKING:
    from seatrial.api.spec import Services
    from seatrial.naming import RunId
    from seatrial.plan.model import PlannedService

NAME = "redis"
PORT = 6379
USER = 999


def plan(run: RunId, image: str, pull_policy: str, services: Services) -> PlannedService | None:
    """Plan the server; the arguments are those of the official image."""
    if services.redis is None:
        return None
    return planned_service(
        run,
        NAME,
        image,
        pull_policy=pull_policy,
        user=USER,
        ports={"redis": PORT},
        resources=resources("50m", "32Mi", "128Mi"),
        volumes=[(memory_volume("data", "8Mi"), "/data")],
        args=[
            "redis-server",
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            "/data",
            "--requirepass",
            "$(REDIS_PASSWORD)",
        ],
        env=[connection_variable("REDIS_PASSWORD")],
        variables={
            "REDIS_HOST": NAME,
            "REDIS_PORT": str(PORT),
            "REDIS_PASSWORD": "${secret:redis}",
            "REDIS_URL": f"redis://:${{secret:redis}}@{NAME}:{PORT}/0",
        },
        environment={"kind": NAME, "name": NAME},
    )
