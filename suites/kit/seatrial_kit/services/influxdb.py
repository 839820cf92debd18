"""A bucket of its own for each test. Its description says which process it belongs to, so that it can be swept."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from seatrial_kit.missing import MissingServiceError, client
from seatrial_kit.owners import owner_in, this_process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from seatrial_kit.services.config import RealTestConfig

TIMEOUT_MS = 10_000
PREFIX = "test_"
MARK = "pytest-seatrial: the bucket of one test of"


@dataclass(frozen=True)
class OwnBucket:
    """An empty bucket."""

    url: str
    token: str = field(repr=False)
    org: str
    name: str


class MetricsService:
    """Writes points and asks for them. `client` is influxdb-client's, for everything else; it blocks."""

    def __init__(self, bucket: OwnBucket) -> None:
        self.bucket = bucket
        library = client("influxdb_client", "influxdb")
        self.client = library.InfluxDBClient(bucket.url, bucket.token, org=bucket.org, timeout=TIMEOUT_MS)
        self._write = self.client.write_api(client("influxdb_client.client.write_api", "influxdb").SYNCHRONOUS)

    async def write(self, record: Any) -> None:
        """Points, dictionaries or line protocol, acknowledged when this returns."""
        await asyncio.to_thread(self._write.write, self.bucket.name, record=record)

    async def query(self, measurement: str, since: str = "-1h") -> list[dict[str, Any]]:
        """All points of a measurement, one dictionary for each, oldest first."""
        flux = (
            f'from(bucket: "{self.bucket.name}") |> range(start: {since}) '
            f'|> filter(fn: (r) => r._measurement == "{measurement}") '
            '|> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")'
        )
        tables = await asyncio.to_thread(self.client.query_api().query, flux)
        points = [dict(record.values) for table in tables for record in table.records]
        return sorted(points, key=lambda point: point["_time"])

    async def healthy(self) -> bool:
        """Whether the server answers and knows the token."""
        found = await asyncio.to_thread(self.client.buckets_api().find_bucket_by_name, self.bucket.name)
        return found is not None

    async def close(self) -> None:
        """Close the connections."""
        await asyncio.to_thread(self.client.close)


async def verify(config: RealTestConfig) -> None:
    """Raises MissingServiceError unless the server knows the token."""
    await asyncio.to_thread(_ask, config)


@asynccontextmanager
async def own_bucket(config: RealTestConfig) -> AsyncIterator[OwnBucket]:
    """A bucket `test_` and 32 hexadecimal digits, gone afterwards. Sweeps what killed tests have left before."""
    await verify(config)
    library = client("influxdb_client", "influxdb")
    server = library.InfluxDBClient(
        config.influxdb_url, config.influxdb_token, org=config.influxdb_org, timeout=TIMEOUT_MS
    )
    buckets = server.buckets_api()
    try:
        await asyncio.to_thread(sweep, buckets)
        name = f"{PREFIX}{uuid.uuid4().hex}"
        made = await asyncio.to_thread(
            buckets.create_bucket, bucket_name=name, description=f"{MARK} {this_process()}", org=config.influxdb_org
        )
        try:
            yield OwnBucket(config.influxdb_url, config.influxdb_token, config.influxdb_org, name)
        finally:
            await asyncio.to_thread(buckets.delete_bucket, made)
    finally:
        await asyncio.to_thread(server.close)


def sweep(buckets: Any) -> list[str]:
    """Delete the buckets of processes of this machine that have ended without doing so. Returns their names."""
    rest = client("influxdb_client.rest", "influxdb")
    swept = []
    for bucket in list(buckets.find_buckets_iter()):
        owner = owner_in(bucket.description or "") if (bucket.description or "").startswith(MARK) else None
        if owner is not None and owner.gone:
            try:
                buckets.delete_bucket(bucket)
            except rest.ApiException as error:
                if error.status != 404:  # noqa: PLR2004 - another session was faster
                    raise
            swept.append(bucket.name)
    return swept


def _ask(config: RealTestConfig) -> None:
    library = client("influxdb_client", "influxdb")
    rest = client("influxdb_client.rest", "influxdb")
    urllib3 = client("urllib3.exceptions", "influxdb")
    settings = {"org": config.influxdb_org, "timeout": TIMEOUT_MS, "retries": False}
    try:
        with library.InfluxDBClient(config.influxdb_url, config.influxdb_token, **settings) as server:
            found = server.organizations_api().find_organizations(org=config.influxdb_org)
    except (rest.ApiException, urllib3.HTTPError, OSError) as error:
        raise MissingServiceError(
            f"InfluxDB at {config.address('influxdb')}: {type(error).__name__}: {_said(error)}; INFLUXDB_URL and "
            "INFLUXDB_TOKEN, or INFLUXDB_HOST and its companions, name another one"
        ) from error
    if not found:
        raise MissingServiceError(f"InfluxDB at {config.address('influxdb')}: no organisation {config.influxdb_org}")


def _said(error: Exception) -> str:
    """Without the headers, of which an answer has many lines."""
    status, reason = getattr(error, "status", None), getattr(error, "reason", None)
    return f"{status} {reason}" if status else str(error)
