"""Which of the services a run can have on this machine, asked of whoever finds their servers."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from seatrial.cli.doctor.model import Check, State
from seatrial.local.servers import EXTRA_PORTS, NoServerError, Wanted, find_server, this_machine
from seatrial.plan import Address

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SERVICES = ("kafka", "redpanda", "redis", "postgres", "influxdb")
_AREA = "services"
_VARIABLES = {
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "SCHEMA_REGISTRY_URL": "http://127.0.0.1:1",
    "REDIS_URL": "redis://127.0.0.1:1", "REDIS_HOST": "127.0.0.1", "REDIS_PORT": "1", "REDIS_PASSWORD": "-",
    "DATABASE_URL": "postgresql://127.0.0.1:1", "DATABASE_HOST": "127.0.0.1", "DATABASE_PORT": "1",
    "DATABASE_NAME": "test",
    "DATABASE_USER": "test", "DATABASE_PASSWORD": "-", "INFLUXDB_URL": "http://127.0.0.1:1",
    "INFLUXDB_HOST": "127.0.0.1",
    "INFLUXDB_PORT": "1", "INFLUXDB_ORG": "seatrial", "INFLUXDB_BUCKET": "test", "INFLUXDB_TOKEN": "-",
    "INFLUXDB_PASSWORD": "-",
}  # fmt: skip
"""As a run would have them; nothing is started with them."""


def check_services(needed: Iterable[str] = ()) -> Iterator[Check]:
    """Each service: what would be started. One that is needed and not there fails; if there is none at all,
    no run works.
    """
    wanted = set(needed)
    with tempfile.TemporaryDirectory(prefix="seatrial-doctor-") as folder:
        checks = [_check(service, Path(folder), needed=service in wanted) for service in SERVICES]
    yield from checks
    if all(check.state is not State.OK for check in checks):
        yield Check(_AREA, "any service", State.FAIL, "none can be started", "pip install 'seatrial[local]'")


def _check(service: str, folder: Path, *, needed: bool) -> Check:
    wanted = Wanted(
        service=service,
        version=None,
        address=Address("127.0.0.1", 1),
        folder=folder,
        variables=_VARIABLES,
        extra_ports=dict.fromkeys(EXTRA_PORTS.get(service, ()), 1),
    )
    try:
        return Check(_AREA, service, State.OK, find_server(wanted, this_machine()).provider)
    except NoServerError as error:
        return Check(_AREA, service, State.FAIL if needed else State.WARN, error.tried, error.advice)
