"""Metrics: each order is a point in InfluxDB, and InfluxDB is in no order's way."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from seatrial_kit.waiting import eventually_async
from tbot.cache import CacheManager
from tbot.metrics import MetricsService
from tests.integration.infrastructure.service_factory import ProductionReadyTestBase
from tests.support.points import points, wait_points

if TYPE_CHECKING:
    from tbot.settings import Settings
    from tests.integration.infrastructure.service_factory import Trading

STAGES = {"hash_ms", "find_ms", "postgres_ms", "remember_ms", "total_ms"}


class TestMetrics(ProductionReadyTestBase):
    """In the bucket of each test."""

    async def test_every_order_is_a_point(self) -> None:
        unique = self.account.orders(30)
        await self.trading.process_orders_concurrently(unique)
        await self.trading.process_orders_sequentially([self.account.repeated(payload) for payload in unique[:10]])
        found = await wait_points(self.database.config, "orders", 40)
        outcomes = Counter((point["outcome"], point["decided_by"]) for point in found)
        assert outcomes == {("new", "postgres"): 30, ("duplicate", "redis"): 10}
        assert {point["symbol"] for point in found} == {"BTC-USD"}
        assert {point["instance"] for point in found} == {self.database.config.instance}

    async def test_a_point_has_the_order_s_stages(self) -> None:
        receipt = await self.trading.place(self.account.order())
        (point,) = await wait_points(self.database.config, "orders", 1)
        assert point.keys() >= STAGES
        assert sum(point[stage] for stage in STAGES - {"total_ms"}) <= point["total_ms"]
        assert point["total"] == float(receipt.order.total)
        assert point["degraded"] is False

    async def test_what_is_written_last_is_not_lost_by_closing(self) -> None:
        await self.trading.process_orders_concurrently(self.account.orders(20))
        await self.factory.cleanup()
        assert len(await points(self.database.config, "orders")) == 20

    async def test_the_run_s_own_bucket_sees_nothing_of_it(self, run_settings: Settings) -> None:
        await self.trading.place(self.account.order())
        await wait_points(self.database.config, "orders", 1)
        instances = {point["instance"] for point in await points(run_settings, "orders")}
        assert self.database.config.instance not in instances

    async def test_orders_do_not_need_influxdb(self) -> None:
        """A bucket that is not there refuses every point; the orders go on, and the points wait."""
        container = await self.factory.initialize_core_services(self.database, influxdb_bucket="test-no-such-bucket")
        metrics = container.get(MetricsService)
        trading = type(self.trading)(container, self.database)
        payloads = trading.account.orders(5)
        receipts = await trading.process_orders_sequentially(payloads)
        assert not any(receipt.duplicate for receipt in receipts)

        async def probe() -> bool:
            assert not metrics.available, "it takes them to be available"
            return True

        await eventually_async(probe, "the service to notice that InfluxDB takes no metrics")
        again = await trading.place(trading.account.repeated(payloads[0]))
        assert again.duplicate


async def test_redis_that_goes_and_comes_is_on_record(fragile_trading: Trading) -> None:
    trading = fragile_trading
    await trading.place(trading.account.order())
    await trading.redis_server.stop()
    await trading.place(trading.account.order())
    await trading.redis_server.start()
    await trading.container.get(CacheManager).ping()
    found = await wait_points(trading.database.config, "dependencies", 2)
    assert [(point["name"], point["available"]) for point in found] == [("redis", False), ("redis", True)]
    orders = await wait_points(trading.database.config, "orders", 2)
    assert [point["degraded"] for point in orders] == [False, True]
