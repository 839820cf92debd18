"""Metrics in InfluxDB: written behind the orders' back, in batches, and never in their way."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from aiohttp import ClientError
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
from influxdb_client.client.write.point import Point
from influxdb_client.domain.write_precision import WritePrecision
from influxdb_client.rest import ApiException

from tbot.bugs import Bug
from tbot.errors import MetricsUnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tbot.order_service import Receipt
    from tbot.settings import Settings

BUFFER: Final = 20_000
BATCH: Final = 1000
REQUEST_SECONDS: Final = 2.0
CLOSE_SECONDS: Final = 0.2
FAILED: Final = (ApiException, ClientError, OSError, TimeoutError)
log = logging.getLogger(__name__)


class MetricsService:
    """Keeps points until InfluxDB has taken them; the oldest go when there are too many.

    `orders`: one point an order, with its stages in milliseconds. `dependencies`: one point when Redis goes or comes.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client = InfluxDBClientAsync(
            settings.influxdb_url,
            settings.influxdb_token.get_secret_value(),
            settings.influxdb_org,
            timeout=int(REQUEST_SECONDS * 1000),
        )
        self._points: deque[Point] = deque(maxlen=BUFFER)
        self._last_ns = 0
        self._waiting = asyncio.Event()
        self._flusher = asyncio.create_task(self._flush_forever())
        self.available = True

    def order(self, receipt: Receipt, milliseconds: Mapping[str, float]) -> None:
        point = (
            self._point("orders")
            .tag("symbol", receipt.order.symbol)
            .tag("side", receipt.order.side.value)
            .tag("outcome", "duplicate" if receipt.duplicate else "new")
            .tag("decided_by", receipt.decided_by)
            .field("degraded", receipt.degraded)
            # For charts. What was ordered, to the last digit, is in PostgreSQL.
            .field("total", float(receipt.order.total))
        )
        for stage, value in milliseconds.items():
            point.field(stage, value)
        self._add(point)

    def dependency(self, name: str, *, available: bool) -> None:
        self._add(self._point("dependencies").tag("name", name).field("available", available))

    async def ping(self) -> None:
        """Raises MetricsUnavailableError."""
        try:
            if await self._client.ping():
                return
            what = "not ready"
        except FAILED as error:
            what = _text(error)
        raise MetricsUnavailableError(f"InfluxDB at {self._settings.influxdb_url} does not answer: {what}")

    async def close(self) -> None:
        """Write what is left, if InfluxDB takes it at once."""
        self._flusher.cancel()
        await asyncio.gather(self._flusher, return_exceptions=True)
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                while self._points and await self._flush():
                    pass
        except TimeoutError:
            pass
        finally:
            if self._points:
                log.warning("metrics are lost", extra={"points": len(self._points)})
            await self._client.close()

    def _point(self, measurement: str) -> Point:
        # Two points of the same tags and time would be one to InfluxDB.
        self._last_ns = max(time.time_ns(), self._last_ns + 1)
        point: Point = Point(measurement).tag("instance", self._settings.instance)
        point.time(self._last_ns, WritePrecision.NS)
        return point

    def _add(self, point: Point) -> None:
        if self._settings.tbot_bug is Bug.METRICS_FORGOTTEN:
            return
        self._points.append(point)
        self._waiting.set()

    async def _flush_forever(self) -> None:
        while True:
            await self._waiting.wait()
            self._waiting.clear()
            while self._points:
                await asyncio.sleep(self._settings.metrics_interval_seconds)  # points gather meanwhile
                await self._flush()

    async def _flush(self) -> bool:
        """One batch; it stays when InfluxDB does not take it."""
        batch = [self._points.popleft() for _ in range(min(BATCH, len(self._points)))]
        try:
            taken = await self._client.write_api().write(self._settings.influxdb_bucket, record=batch)
        except asyncio.CancelledError:
            self._points.extendleft(reversed(batch))  # writing a point twice is writing it once
            raise
        except FAILED as error:
            self._points.extendleft(reversed(batch))
            self._note(available=False, error=_text(error))
            return False
        self._note(available=bool(taken))
        return bool(taken)

    def _note(self, *, available: bool, error: str = "") -> None:
        if available == self.available:
            return
        self.available = available
        if available:
            log.info("InfluxDB is back")
        else:
            log.warning("InfluxDB takes no metrics; they wait", extra={"error": error, "points": len(self._points)})


def _text(error: BaseException) -> str:
    """Without the headers and bodies that follow in further lines."""
    return f"{type(error).__name__}: {error}".split("\n", 1)[0]
