"""Which of the services a run can have on this machine, asked of whoever finds their servers."""

from __future__ import annotations

import importlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seatrial.cli.doctor.model import Check, State
from seatrial.errors import SeatrialError
from seatrial.plan import Address

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SERVICES = ("kafka", "redpanda", "redis", "postgres", "influxdb")
_AREA = "services"
_ENGINE = "seatrial.local.servers"
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
    try:
        engine = importlib.import_module(_ENGINE)
    except ImportError as error:
        yield Check(
            _AREA, "local engine", State.FAIL, f"is not there: {error}", "pip install --upgrade 'seatrial[local]'"
        )
        return
    wanted = set(needed)
    with tempfile.TemporaryDirectory(prefix="seatrial-doctor-") as folder:
        checks = [_check(engine, service, Path(folder), needed=service in wanted) for service in SERVICES]
    yield from checks
    if all(check.state is not State.OK for check in checks):
        yield Check(_AREA, "any service", State.FAIL, "none can be started", "pip install 'seatrial[local]'")


def _check(engine: Any, service: str, folder: Path, *, needed: bool) -> Check:
    try:
        provider = _provider(engine, service, folder)
    except (SeatrialError, OSError) as error:
        first, *rest = str(error).splitlines()
        advice = next((line.removeprefix("What helps: ") for line in rest if line.startswith("What helps: ")), "")
        tried = [line.strip() for line in rest if not line.startswith("What helps: ")]
        seen = "; ".join(tried) or first.partition(": ")[2] or first
        return Check(_AREA, service, State.FAIL if needed else State.WARN, seen, advice)
    return Check(_AREA, service, State.OK, provider)


def _provider(engine: Any, service: str, folder: Path) -> str:
    """What would be started for a service. Raises SeatrialError when there is nothing."""
    wanted = engine.Wanted(
        service=service,
        version=None,
        address=Address("127.0.0.1", 1),
        folder=folder,
        variables=_VARIABLES,
        extra_ports=dict.fromkeys(engine.EXTRA_PORTS.get(service, ()), 1),
    )
    return str(engine.find_server(wanted, engine.this_machine()).provider)
