"""InfluxDB 2: started without set-up; the environment pod sets up organisation, bucket and the run's token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seatrial.plan.pods import memory_volume, resources
from seatrial.plan.services.common import planned_service

if TYPE_CHECKING:
    from seatrial.api.spec import Services
    from seatrial.naming import RunId
    from seatrial.plan.addresses import Addresses
    from seatrial.plan.model import PlannedService

NAME = "influxdb"
PORT = 8086
USER = 1000


def plan(run: RunId, image: str, pull_policy: str, services: Services, addresses: Addresses) -> PlannedService | None:
    """Plan the server."""
    spec = services.influxdb
    if spec is None:
        return None
    address = addresses.find(NAME, PORT)
    return planned_service(
        run,
        NAME,
        image,
        pull_policy=pull_policy,
        user=USER,
        ports={"influxdb": PORT},
        resources=resources("50m", "192Mi", "512Mi"),
        volumes=[(memory_volume("data", "192Mi"), "/data"), (memory_volume("tmp", "16Mi"), "/tmp")],  # noqa: S108
        variables={
            "INFLUXDB_HOST": address.host,
            "INFLUXDB_PORT": str(address.port),
            "INFLUXDB_URL": f"http://{address}",
            "INFLUXDB_ORG": spec.org,
            "INFLUXDB_BUCKET": spec.bucket,
            "INFLUXDB_TOKEN": "${secret:influxdb-token}",
            "INFLUXDB_PASSWORD": "${secret:influxdb}",
        },
        environment={"kind": NAME, "name": NAME},
    )
