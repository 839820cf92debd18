"""InfluxDB 2 on PATH. Started without set-up: that comes from outside, by its API. No wheel has it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from seatrial.local.servers.model import Launch, Unfit, Wanted, matches

if TYPE_CHECKING:
    from seatrial.local.servers.search import Search

MAJOR = "2"
_VERSION = re.compile(r"InfluxDB v?([0-9]+(?:\.[0-9]+)*)")


def on_path(wanted: Wanted, search: Search) -> Launch | Unfit:
    """`influxd` of InfluxDB 2: versions 1 and 3 have another API."""
    program = search.program("influxd")
    if program is None:
        return Unfit("PATH", "influxd is not there")
    environment = {name: value for name, value in search.environment.items() if not name.startswith("INFLUXD_")}
    answer = search.ask(program, "version")
    version = _VERSION.search(answer.text)
    if not answer.ok or version is None:
        return Unfit(str(program), f"does not tell its version: {answer.line}")
    if not matches(MAJOR, version[1]):
        return Unfit(str(program), f"is InfluxDB {version[1]}, wanted is {wanted.version or MAJOR}")
    if not matches(wanted.version, version[1]):
        return Unfit(str(program), f"is {version[1]}, wanted is {wanted.version}")
    return Launch(
        command=(str(program), *arguments(f"{wanted.address.host}:{wanted.address.port}", str(wanted.folder))),
        env=environment,
        folder=wanted.folder,
        provider=f"influxd {version[1]} on PATH",
    )


def arguments(address: str, folder: str) -> tuple[str, ...]:
    """Nothing but the API, and all files in the folder."""
    return (
        "--http-bind-address",
        address,
        "--bolt-path",
        f"{folder}/influxd.bolt",
        "--sqlite-path",
        f"{folder}/influxd.sqlite",
        "--engine-path",
        f"{folder}/engine",
        "--log-level",
        "error",
        "--reporting-disabled",
        "--ui-disabled",
        "--no-tasks",
        "--metrics-disabled",
        "--pprof-disabled",
    )
