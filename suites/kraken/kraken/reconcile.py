"""Reconciliation: orders, trades and balances as the exchange has them, against the journal."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from kraken.models import Status, text
from kraken.reports import Report

if TYPE_CHECKING:
    from kraken.api import KrakenApi
    from kraken.executor import TradeExecutor
    from kraken.journal import Journal
    from kraken.ledger import Ledger
    from kraken.pairs import Pairs
    from kraken.positions import PositionManager

_CURSOR = "reconciled_until"
log = logging.getLogger(__name__)


@dataclass
class Findings:
    """What was out of step; orders and trades are in step again afterwards."""

    resolved: list[str] = field(default_factory=list)
    """Orders whose fate was not known."""
    missed_trades: list[str] = field(default_factory=list)
    foreign_orders: int = 0
    """Open orders of the account that this service has not placed."""
    shortfalls: dict[str, str] = field(default_factory=dict)
    """Pairs of which the journal holds more than the account has."""
    balances: dict[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        return {
            "resolved": self.resolved,
            "missed_trades": self.missed_trades,
            "foreign_orders": self.foreign_orders,
            "shortfalls": self.shortfalls,
            "balances": self.balances,
            "in_agreement": not (self.resolved or self.missed_trades or self.shortfalls),
        }


class Reconciler:
    """All methods raise ApiError."""

    def __init__(
        self,
        *,
        api: KrakenApi,
        journal: Journal,
        ledger: Ledger,
        executor: TradeExecutor,
        positions: PositionManager,
        pairs: Pairs,
    ) -> None:
        self._api = api
        self._journal = journal
        self._ledger = ledger
        self._executor = executor
        self._positions = positions
        self._pairs = pairs

    async def run(self) -> Findings:
        """Orders and trades."""
        began, findings = datetime.now(UTC), Findings()
        await self._pending(findings)
        await self._open(findings)
        since = await self._journal.load(_CURSOR)
        await self._trades(datetime.fromisoformat(since) if since else began, findings)
        await self._journal.save(_CURSOR, began.isoformat())
        await self._executor.keep_halted()
        return findings

    async def verify(self, pair_name: str | None) -> Findings:
        """Orders, trades, and whether the account has what the journal says was bought."""
        findings = await self.run()
        balances = {asset: Decimal(amount) for asset, amount in (await self._api.private("Balance")).items()}
        findings.balances = {asset: text(amount) or "0" for asset, amount in balances.items()}
        names = {pair_name} if pair_name else {order.pair for order in await self._journal.orders()}
        for name in names:
            pair = await self._pairs.get(name)
            position = await self._positions.position(pair.name)
            if position.volume > balances.get(pair.base, Decimal(0)):
                held = text(balances.get(pair.base, Decimal(0)))
                findings.shortfalls[pair.name] = f"{text(position.volume)} in the journal, {held} in the account"
        return findings

    async def is_needed(self) -> bool:
        return bool(await self._journal.orders(statuses=(Status.PENDING, Status.OPEN), limit=1))

    async def _pending(self, findings: Findings) -> None:
        for order in await self._journal.orders(statuses=(Status.PENDING,)):
            # What was read with others may have been sent since: whether it was, and until when it may arrive, is read
            # again once nobody is about to send it.
            if order.id in self._executor.flights:
                continue
            order = await self._journal.get(order.id)  # noqa: PLW2901
            if order.status is not Status.PENDING or order.id in self._executor.flights:
                continue
            too_late = await self._ledger.is_too_late(order)
            found = await self._ledger.look_up(order)
            if found is None and too_late:
                await self._journal.give_up(order, order.reason or "it never reached the exchange")
            if found is not None or too_late:
                findings.resolved.append(str(order.id))
                log.info("order resolved", extra={"order": str(order.id), "placed": found is not None})

    async def _open(self, findings: Findings) -> None:
        listed = (await self._api.private("OpenOrders", {"trades": "true"}))["open"]
        for txid, entry in listed.items():
            if await self._ledger.apply(Report.from_rest(txid, entry), "api") is None:
                findings.foreign_orders += 1
        ours = await self._journal.orders(statuses=(Status.OPEN,))
        gone = [order.txid for order in ours if order.txid is not None and order.txid not in listed]
        await self._ledger.refresh(gone)

    async def _trades(self, since: datetime, findings: Findings) -> None:
        fills = await self._ledger.fills_since(since)
        orders = await self._journal.by_txid([fill.txid for fill in fills])
        for fill in fills:
            if (order := orders.get(fill.txid)) and await self._ledger.book(order, fill, "reconciliation"):
                findings.missed_trades.append(fill.id)
