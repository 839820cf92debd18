"""PostgreSQL: durability off, one database that the run's user owns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seatrial.naming import copied_config_map
from seatrial.plan.model import Copy
from seatrial.plan.pods import connection_variable, memory_volume, resources
from seatrial.plan.services.common import planned_service

if TYPE_CHECKING:
    from seatrial.api.spec import Services
    from seatrial.naming import RunId
    from seatrial.plan.addresses import Addresses
    from seatrial.plan.model import PlannedService

NAME = "postgres"
PORT = 5432
USER = 70
DATABASE_USER = "test"
INIT_SQL_FOLDER = "/etc/seatrial/init-sql"


def plan(run: RunId, image: str, pull_policy: str, services: Services, addresses: Addresses) -> PlannedService | None:
    """Plan the server. Its image copies a prepared data folder to /data, so that no initdb is waited for."""
    spec = services.postgres
    if spec is None:
        return None
    source = spec.init_sql.config_map_ref.name if spec.init_sql else None
    address = addresses.find(NAME, PORT)
    return planned_service(
        run,
        NAME,
        image,
        pull_policy=pull_policy,
        user=USER,
        ports={"postgres": PORT},
        resources=resources("50m", "128Mi", "384Mi"),
        volumes=[(memory_volume("data", "192Mi"), "/data"), (memory_volume("tmp", "16Mi"), "/tmp")],  # noqa: S108
        env=[
            connection_variable("POSTGRES_USER", "DATABASE_USER"),
            connection_variable("POSTGRES_PASSWORD", "DATABASE_PASSWORD"),
            connection_variable("POSTGRES_DB", "DATABASE_NAME"),
        ],
        variables={
            "DATABASE_HOST": address.host,
            "DATABASE_PORT": str(address.port),
            "DATABASE_NAME": spec.database,
            "DATABASE_USER": DATABASE_USER,
            "DATABASE_PASSWORD": "${secret:postgres}",
            "DATABASE_URL": f"postgresql://{DATABASE_USER}:${{secret:postgres}}@{address}/{spec.database}",
        },
        environment={"kind": NAME, "name": NAME, "initSQL": [INIT_SQL_FOLDER] if source else []},
        copies=(Copy("ConfigMap", source, copied_config_map(source)),) if source else (),
        init_sql=copied_config_map(source) if source else None,
    )
