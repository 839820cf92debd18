"""Puts into the journal what the exchange reports, from whichever side it comes, each thing once."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from kraken.bugs import Bug
from kraken.crash import Crash, Point
from kraken.models import ZERO, Order, Side, Trade
from kraken.reports import Fill, Report

if TYPE_CHECKING:
    from kraken.api import KrakenApi
    from kraken.journal import Journal
    from kraken.metrics import Metrics

PAGE: Final = 50
CLOCK_MARGIN: Final = timedelta(seconds=60)
"""Our clock and the exchange's may differ."""
log = logging.getLogger(__name__)


class Ledger:
    """Asks the exchange about orders and books the answers."""

    def __init__(self, api: KrakenApi, journal: Journal, metrics: Metrics, crash: Crash, bug: Bug) -> None:
        self._api = api
        self._journal = journal
        self._metrics = metrics
        self._crash = crash
        self._bug = bug
        self._locks: defaultdict[uuid.UUID, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def apply(self, report: Report, source: str) -> Order | None:
        """Book a report; None if the order is not ours. Raises ApiError when trades are missing and cannot be had."""
        order = await self._ours(report)
        if order is None:
            return None
        async with self._locks[order.id]:
            if report.fill is not None:
                await self.book(order, report.fill, source)
            order = await self._journal.get(order.id)
            if report.status.is_final and report.executed > order.executed:
                await self._fetch_trades(order.with_(txid=report.txid))
            was_final = order.status.is_final
            order = await self._journal.settle(order.id, report.status, txid=report.txid, reason=report.reason)
        if order.status.is_final:
            self._locks.pop(order.id, None)
            if not was_final:
                self._metrics.orders.labels(order.status).inc()
        return order

    async def book(self, order: Order, fill: Fill, source: str) -> bool:
        side: Side = "buy" if fill.side == "buy" else "sell"
        trade = Trade(fill.id, order.id, order.pair, side, fill.price, fill.volume, fill.cost, fill.fee, fill.at)
        if self._bug is Bug.BOOK_ORDERED and order.executed:
            return False
        trade = _wrongly(trade, order, self._bug)
        if not await self._journal.book(trade):
            return False
        self._metrics.trades.labels(source).inc()
        self._metrics.executed((datetime.now(UTC) - order.created_at).total_seconds())
        self._crash.reach(Point.BOOKED)
        return True

    async def look_up(self, order: Order) -> Order | None:
        """Ask for an order by our own id and book what is known; None if the exchange does not have it.

        Raises ApiError.
        """
        reference = {"cl_ord_id": str(order.id), "trades": "true"}
        found = (await self._api.private("OpenOrders", reference))["open"]
        found = found or (await self._api.private("ClosedOrders", reference))["closed"]
        # An older exchange may ignore the filter: only the order that bears the id is believed.
        for txid, entry in found.items():
            if entry.get("cl_ord_id") == str(order.id):
                return await self.apply(Report.from_rest(txid, entry), "api")
        return None

    async def is_too_late(self, order: Order) -> bool:
        """Whether an order that the exchange does not have can no longer be taken, by the exchange's own clock.

        Ask before looking it up, not after. Raises ApiError.
        """
        if order.deadline is None:  # never sent
            return True
        return int((await self._api.public("Time"))["unixtime"]) >= order.deadline.timestamp()

    async def refresh(self, txids: list[str]) -> None:
        """Ask for orders by the exchange's ids and book what is known. Raises ApiError."""
        for start in range(0, len(txids), PAGE):
            params = {"txid": ",".join(txids[start : start + PAGE]), "trades": "true"}
            for txid, entry in (await self._api.private("QueryOrders", params)).items():
                await self.apply(Report.from_rest(txid, entry), "api")

    async def fills_since(self, since: datetime) -> list[Fill]:
        """All trades of the account since then. Raises ApiError."""
        found: dict[str, Fill] = {}
        start = str(int((since - CLOCK_MARGIN).timestamp()))
        while True:
            result = await self._api.private("TradesHistory", {"start": start, "ofs": str(len(found))})
            page: dict[str, Any] = result["trades"]
            found |= {trade_id: Fill.from_rest(trade_id, entry) for trade_id, entry in page.items()}
            if not page or len(found) >= int(result["count"]):
                return list(found.values())

    async def _fetch_trades(self, order: Order) -> None:
        for fill in await self.fills_since(order.created_at):
            if fill.txid == order.txid:
                await self.book(order, fill, "api")

    async def _ours(self, report: Report) -> Order | None:
        """By our id, which the exchange repeats; by its own otherwise."""
        if report.cl_ord_id:
            try:
                return await self._journal.find(uuid.UUID(report.cl_ord_id))
            except ValueError:
                return None
        return (await self._journal.by_txid([report.txid])).get(report.txid)


def _wrongly(trade: Trade, order: Order, bug: Bug) -> Trade:
    """What a deliberate bug makes of a trade; the trade itself without one."""
    match bug:
        case Bug.DOUBLE_BOOKING:
            return replace(trade, id=f"{trade.id}-{uuid.uuid4()}")
        case Bug.FORGET_FEES:
            return replace(trade, fee=ZERO)
        case Bug.BOOK_ORDERED:
            return replace(trade, volume=order.volume)
        case _:
            return trade
