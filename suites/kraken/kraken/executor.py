"""The trade executor: admits an order, sends it once, finds out what became of it, cancels it."""

from __future__ import annotations

import asyncio
import logging
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from kraken import risk
from kraken.bugs import Bug
from kraken.crash import Crash, Point
from kraken.errors import ApiError, ConflictError, DataError, RejectedError, RiskError, UnavailableError
from kraken.flights import Flights
from kraken.models import Order, OrderRequest, Status
from kraken.requests import add_order_params
from kraken.retry import backoff
from kraken.settings import Mode

if TYPE_CHECKING:
    from kraken.api import KrakenApi
    from kraken.journal import Journal
    from kraken.ledger import Ledger
    from kraken.market_data import MarketData
    from kraken.metrics import Metrics
    from kraken.override import Override
    from kraken.pairs import Pair, Pairs
    from kraken.positions import PositionManager
    from kraken.settings import Settings

DEADLINE_ELAPSED = "EService:Deadline elapsed"
UNKNOWN_ORDER = "EOrder:Unknown order"
PATIENCE = timedelta(seconds=1)
"""After an order's deadline the caller is told that nothing is known yet."""
log = logging.getLogger(__name__)


class TradeExecutor:
    """Every order is in the journal before it is sent, under the id with which the exchange can be asked for it."""

    def __init__(
        self,
        *,
        api: KrakenApi,
        journal: Journal,
        ledger: Ledger,
        pairs: Pairs,
        data: MarketData,
        positions: PositionManager,
        override: Override,
        settings: Settings,
        metrics: Metrics,
        crash: Crash,
    ) -> None:
        self._api = api
        self._journal = journal
        self._ledger = ledger
        self._pairs = pairs
        self._data = data
        self._positions = positions
        self._override = override
        self._settings = settings
        self._metrics = metrics
        self._crash = crash
        self._admission = asyncio.Lock()
        self.flights = Flights()

    async def execute(self, request: OrderRequest) -> Order:
        """The order as far as it has come. Raises RiskError, ConflictError, RejectedError for an unknown pair."""
        pair = await self._pairs.get(request.pair)
        order = Order.admitted(request, pair.name, request.mode.at_most(self._settings.trading_mode))
        known = await self._journal.find(request.id)
        if known is not None and _same(order, known).status is not Status.NOT_PLACED:
            return known
        with self.flights.of(order.id):
            # One at a time: limits are checked against what all orders before this one may still do.
            async with self._admission:
                await self._assess(order, pair)
                admitted = await self._journal.admit(order)
            if admitted:
                return await self._sent(order)
        return _same(order, await self._journal.get(order.id))

    async def _sent(self, order: Order) -> Order:
        """Send an admitted order, again only when it certainly is not there."""
        placed = await self._place(order)
        late = self._override.halted is not None and placed.parent is None
        if (placed.mode is Mode.PAPER or late) and placed.status is Status.OPEN:
            placed = await self.cancel(placed.id)
        self._metrics.orders.labels(f"placed_{placed.status}").inc()
        return placed

    async def cancel(self, order_id: uuid.UUID) -> Order:
        """Raises LookupError, ApiError; an order that has ended already is given back as it is."""
        order = await self._journal.get(order_id)
        if order.status is Status.PENDING:
            order = await self._ledger.look_up(order) or order
        if order.status is not Status.OPEN or order.txid is None:
            return order
        try:
            await self._api.private("CancelOrder", {"txid": order.txid})
        except RejectedError as error:
            if UNKNOWN_ORDER not in error.codes:
                raise
        await self._ledger.refresh([order.txid])
        return await self._journal.get(order_id)

    async def cancel_all(self) -> tuple[list[Order], dict[str, str]]:
        """What was cancelled of this service's orders, and why others could not be, by their ids.

        Orders of others on the same account are left alone, and so are exits. One that is on its way is not there
        yet: it is cancelled when it arrives.
        """
        done, failed = [], {}
        for order in await self._journal.orders(statuses=(Status.PENDING, Status.OPEN), limit=None):
            if order.parent is not None:
                continue
            try:
                after = await self.cancel(order.id)
            except ApiError as error:
                failed[str(order.id)] = str(error)
                continue
            if after.status.is_final:
                done.append(after)
            else:
                failed[str(order.id)] = f"it is {after.status}; it is cancelled as soon as that is possible"
        return done, failed

    async def keep_halted(self) -> None:
        """While trading is halted, whatever is still open is cancelled."""
        if self._override.halted is not None:
            _, failed = await self.cancel_all()
            for order_id, why in failed.items():
                log.warning("not cancelled by the halt, tried again", extra={"order": order_id, "error": why})

    async def exit(self, parent: Order, reason: str) -> Order:
        """Sell what an order bought, or buy back what it sold, at the market; the rest of the order is cancelled."""
        if parent.status is Status.OPEN:
            parent = await self.cancel(parent.id)
        earlier = await self._journal.exits(parent.id)
        left = parent.executed - sum(order.executed for order in earlier)
        # One that was not placed is taken up again, by its id.
        number = sum(order.status is not Status.NOT_PLACED for order in earlier)
        request = OrderRequest(
            # Follows from what it is for: were it asked for twice, it would be the same order.
            id=uuid.uuid5(parent.id, f"exit-{number}"),
            pair=parent.pair,
            side="sell" if parent.side == "buy" else "buy",
            type="market",
            volume=left,
        )
        order = Order.admitted(request, parent.pair, Mode.LIVE).with_(parent=parent.id, reason=reason)
        with self.flights.of(order.id):
            if not await self._journal.admit(order):
                return await self._journal.get(order.id)
            log.info("exit", extra={"order": str(parent.id), "pair": parent.pair, "reason": reason})
            return await self._sent(order)

    async def _assess(self, order: Order, pair: Pair) -> None:
        limits = self._override.limits
        try:
            quote = await self._data.quote(pair)
        except (ApiError, DataError):
            quote = None
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        highest, lowest = await self._positions.exposure(pair.name)
        today = await self._journal.traded_since(midnight)
        situation = risk.Situation(quote, highest, lowest, today, self._override.halted)
        broken = risk.assess(order, pair, limits, situation)
        if order.kind == "market" and not broken:
            levels = await self._data.levels(pair, order.side)
            slip = risk.slippage(levels, order.volume)
            if slip is None or slip > limits.max_slippage:
                seen = "there is not so much" if slip is None else f"{slip:.4f} from the best price"
                broken["slippage"] = f"{seen}; MAX_SLIPPAGE is {limits.max_slippage}"
        if broken:
            for rule in broken:
                self._metrics.refused.labels(rule).inc()
            raise RiskError(broken)

    async def _place(self, order: Order) -> Order:
        reason = ""
        params = add_order_params(order)
        for _ in range(self._settings.attempts):
            if self._override.halted is not None and order.parent is None:
                reason = f"trading is halted: {self._override.halted}"
                break
            deadline = datetime.now(UTC) + timedelta(seconds=self._settings.order_deadline_seconds)
            await self._journal.sending(order.id, deadline)
            self._crash.reach(Point.ADMITTED)
            try:
                answer = await self._api.private(
                    "AddOrder", params | {"deadline": deadline.isoformat(timespec="milliseconds")}, repeatable=False
                )
            except RejectedError as error:
                reason = ", ".join(error.codes)
                if DEADLINE_ELAPSED in error.codes:
                    continue
                return await self._journal.settle(order.id, Status.REJECTED, reason=reason)
            except UnavailableError as error:
                reason = ", ".join(error.codes)
                if not error.sent:
                    break
                if self._settings.kraken_bug is Bug.BLIND_RESEND:
                    params["cl_ord_id"] = str(uuid.uuid4())
                    continue
                if (found := await self._find_out(order.with_(deadline=deadline))) is not None:
                    return found
            except ApiError as error:
                reason = ", ".join(error.codes)
                break
            else:
                return await self._accepted(order, answer)
        log.warning("order not placed", extra={"order": str(order.id), "reason": reason})
        return await self._journal.settle(order.id, Status.NOT_PLACED, reason=reason)

    async def _accepted(self, order: Order, answer: dict[str, list[str]]) -> Order:
        self._crash.reach(Point.ACCEPTED)
        if order.mode is Mode.VALIDATE:
            return await self._journal.settle(order.id, Status.VALIDATED)
        return await self._journal.settle(order.id, Status.OPEN, txid=answer["txid"][0])

    async def _find_out(self, order: Order) -> Order | None:
        """What became of an order without an answer; None once it surely is not there, pending while nobody knows."""
        attempt = 0
        while True:
            attempt += 1
            patient = order.deadline is None or datetime.now(UTC) < order.deadline + PATIENCE
            try:
                too_late = await self._ledger.is_too_late(order)
                if (found := await self._ledger.look_up(order)) is not None:
                    return found
                if too_late:
                    return None
            except ApiError as error:
                log.warning("order unknown", extra={"order": str(order.id), "error": str(error)})
            if not patient:
                return await self._journal.get(order.id)
            pause = backoff(attempt, self._settings.backoff_base_seconds, self._settings.order_deadline_seconds / 2)
            await asyncio.sleep(pause)


def _same(asked: Order, known: Order) -> Order:
    """The known one. Raises ConflictError if it is not what is asked for."""
    if not known.is_the_same_as(asked):
        raise ConflictError(f"order {asked.id} exists and is another one")
    return known
