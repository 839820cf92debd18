"""What InfluxDB holds, asked past the service."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from seatrial_kit.waiting import eventually_async
from tests.support.isolation import influx_client

if TYPE_CHECKING:
    from tbot.settings import Settings

QUERY = """
from(bucket: "{bucket}") |> range(start: -1h) |> filter(fn: (r) => r._measurement == "{measurement}")
  |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value") |> group() |> sort(columns: ["_time"])
"""
# InfluxDB stores each field for itself: a point that is being written may be seen with some of them.
FIELDS = {"orders": {"degraded", "find_ms", "hash_ms", "total", "total_ms"}, "dependencies": {"available"}}
IF_DECIDED_BY_POSTGRES = {"postgres_ms", "remember_ms"}


async def points(config: Settings, measurement: str) -> list[dict[str, Any]]:
    """Every whole point of a measurement in the bucket of the settings, in order of time."""

    def ask() -> list[dict[str, Any]]:
        with influx_client(config) as client:
            query = QUERY.format(bucket=config.influxdb_bucket, measurement=measurement)
            found = [dict(record.values) for table in client.query_api().query(query) for record in table.records]
        return [point for point in found if _is_whole(point, FIELDS[measurement])]

    return await asyncio.to_thread(ask)


async def wait_points(config: Settings, measurement: str, count: int) -> list[dict[str, Any]]:
    """The points once there are so many; the service writes them some tenths of a second later."""

    async def probe() -> list[dict[str, Any]]:
        found = await points(config, measurement)
        assert len(found) >= count, f"{len(found)} points"
        return found

    return await eventually_async(probe, f"{count} points of {measurement} in bucket {config.influxdb_bucket}")


def _is_whole(point: dict[str, Any], fields: set[str]) -> bool:
    needed = fields | IF_DECIDED_BY_POSTGRES if point.get("decided_by") == "postgres" else fields
    return all(point.get(field) is not None for field in needed)
