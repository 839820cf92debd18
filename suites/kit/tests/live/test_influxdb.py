"""InfluxDB: a bucket for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from seatrial_kit.services import RealServiceFactory, RealTestConfig
from seatrial_kit.services.influxdb import MetricsService, OwnBucket, own_bucket

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inner import Inner

    from seatrial_kit.services.postgres import CleanDatabase

pytestmark = [pytest.mark.integration, pytest.mark.asyncio]


async def names(bucket: OwnBucket) -> set[str]:
    metrics = MetricsService(bucket)
    try:
        return {found.name for found in metrics.client.buckets_api().find_buckets_iter()}
    finally:
        await metrics.close()


async def test_all_services_are_healthy(verify_services_healthy: Mapping[str, str]) -> None:
    assert set(verify_services_healthy) == {"postgres", "redis", "influxdb"}


@pytest.mark.parametrize("price", [1.5, 2.5])
async def test_points_are_in_a_bucket_of_their_own(price: float, influxdb_bucket: OwnBucket) -> None:
    metrics = MetricsService(influxdb_bucket)
    try:
        assert await metrics.query("orders") == []
        await metrics.write({"measurement": "orders", "tags": {"symbol": "BTC"}, "fields": {"price": price}})
        points = await metrics.query("orders")
        assert [(point["symbol"], point["price"]) for point in points] == [("BTC", price)]
    finally:
        await metrics.close()


async def test_a_bucket_goes_with_its_test(real_test_config: RealTestConfig, influxdb_bucket: OwnBucket) -> None:
    with pytest.raises(ZeroDivisionError):
        async with own_bucket(real_test_config) as bucket:
            assert bucket.name in await names(influxdb_bucket)
            raise ZeroDivisionError
    assert bucket.name not in await names(influxdb_bucket)
    assert influxdb_bucket.name in await names(influxdb_bucket)


async def test_what_a_killed_test_has_left_is_swept_by_the_next_session(
    inner: Inner, influxdb_bucket: OwnBucket
) -> None:
    said = inner.run_and_kill("""
import asyncio, pytest

@pytest.mark.asyncio
async def test_it(influxdb_bucket):
    print()
    print(influxdb_bucket.name)
    print("ready")
    await asyncio.Event().wait()
""")
    assert said[-2] in await names(influxdb_bucket)
    status, output = inner.run("def test_it(influxdb_bucket): pass")
    assert status == 0, output
    left = await names(influxdb_bucket)
    assert said[-2] not in left
    assert influxdb_bucket.name in left


async def test_the_factory_connects_all_three(clean_database: CleanDatabase) -> None:
    factory = RealServiceFactory()
    container = await factory.initialize_core_services(clean_database)
    try:
        assert await container.get_as("MetricsService", MetricsService).healthy()
        assert await container.get("DatabaseService").healthy()
        assert await container.get("CacheManager").healthy()
    finally:
        await factory.cleanup()
