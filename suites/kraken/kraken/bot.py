"""The orchestrator: puts the parts together, recovers what an earlier process left, and keeps everything going."""

from __future__ import annotations

import asyncio
import logging
import uuid
from typing import TYPE_CHECKING, Any

from kraken import risk
from kraken.candles import volatility
from kraken.crash import Crash
from kraken.errors import ApiError, RiskError
from kraken.executor import TradeExecutor
from kraken.exits import Exits
from kraken.feeds import ExecutionFeed, MarketFeed
from kraken.ledger import Ledger
from kraken.market_data import MarketData
from kraken.models import Order, OrderRequest, text
from kraken.override import Override
from kraken.pairs import Pairs
from kraken.positions import PositionManager
from kraken.reconcile import Reconciler
from kraken.retry import backoff

if TYPE_CHECKING:
    from decimal import Decimal

    from kraken.api import KrakenApi
    from kraken.journal import Journal
    from kraken.limits import Limits
    from kraken.metrics import Metrics
    from kraken.reports import Report
    from kraken.settings import Settings

VOLATILITY_MINUTES = 60
log = logging.getLogger(__name__)


class TradingBot:
    """`start`, then `run` until it is cancelled."""

    def __init__(self, settings: Settings, metrics: Metrics, api: KrakenApi, journal: Journal) -> None:
        self.settings = settings
        self.metrics = metrics
        self.api = api
        self.journal = journal
        self.crash = Crash()
        self.pairs = Pairs(api)
        self.data = MarketData(api, self.pairs, settings)
        self.override = Override(journal, settings)
        self.positions = PositionManager(journal)
        self.ledger = Ledger(api, journal, metrics, self.crash, settings.kraken_bug)
        self.executor = TradeExecutor(
            api=api,
            journal=journal,
            ledger=self.ledger,
            pairs=self.pairs,
            data=self.data,
            positions=self.positions,
            override=self.override,
            settings=settings,
            metrics=metrics,
            crash=self.crash,
        )
        self.reconciler = Reconciler(
            api=api,
            journal=journal,
            ledger=self.ledger,
            executor=self.executor,
            positions=self.positions,
            pairs=self.pairs,
        )
        self.market = MarketFeed(self.data, self.pairs, settings, metrics)
        self.executions = ExecutionFeed(
            api, settings, metrics, on_report=self._report, on_connect=self._request_reconciliation
        )
        self.exits = Exits(
            journal=journal,
            executor=self.executor,
            data=self.data,
            feed=self.market,
            pairs=self.pairs,
            settings=settings,
            metrics=metrics,
        )
        self.run_id = uuid.uuid4()
        self.recovered = asyncio.Event()
        self._due = asyncio.Event()
        self._asking = False

    async def run(self) -> None:
        """Recover, then go on until cancelled."""
        await self._recover()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.market.stream.run(self.api.session))
            tasks.create_task(self.executions.stream.run(self.api.session))
            tasks.create_task(self.exits.run())
            tasks.create_task(self._reconcile())

    async def trade(self, request: OrderRequest) -> Order:
        """Execute an order, with the pair watched from then on. Raises RiskError, ConflictError, ApiError."""
        await self.market.watch(await self.pairs.get(request.pair))
        return await self.executor.execute(request)

    async def size(self, name: str, side: str, stop: Decimal, capital: Decimal) -> dict[str, Any]:
        """How much to trade so that the stop costs no more than RISK_PER_TRADE of the capital. Raises ApiError."""
        pair = await self.pairs.get(name)
        entry = (await self.data.quote(pair)).against(side)
        history = (await self.data.candles(pair, VOLATILITY_MINUTES)).value
        measured = volatility(history[:-1], VOLATILITY_MINUTES)
        volume = risk.size(capital=capital, entry=entry, stop=stop, volatility=measured, pair=pair, limits=self.limits)
        return {"volume": text(volume), "entry": text(entry), "volatility": text(measured)}

    async def workflow(self, request: OrderRequest, capital: Decimal) -> Order:
        """A whole trade: sized by its stop, executed, and guarded until one of its exits. Raises as `trade`."""
        if request.stop_loss is None:
            raise RiskError({"stop_loss": "a trade that is sized by its risk needs one"})
        sized = await self.size(request.pair, request.side, request.stop_loss, capital)
        if sized["volume"] == "0":
            raise RiskError({"risk": "the risk allowed is below the least that can be traded"})
        return await self.trade(OrderRequest.model_validate(request.model_dump() | {"volume": sized["volume"]}))

    async def halt(self, reason: str) -> tuple[list[Order], dict[str, str]]:
        """Nothing new from now on; what is open is cancelled. Exits that protect positions still happen.

        What was cancelled, and why others are not yet: the reconciliation goes on with them.
        """
        await self.override.halt(reason)
        return await self.executor.cancel_all()

    @property
    def reconciling(self) -> bool:
        """Whether the exchange is being asked what may have been missed, or is about to be."""
        return self._due.is_set() or self._asking

    @property
    def limits(self) -> Limits:
        return self.override.limits

    async def _recover(self) -> None:
        """Before anything new: what became of the orders that an earlier process left. Waits for the exchange."""
        attempt = 0
        while True:
            attempt += 1
            try:
                await self.override.load()
                findings = await self.reconciler.run()
                for order in await self.journal.guarded():
                    await self.market.watch(await self.pairs.get(order.pair))
            except Exception as error:  # noqa: BLE001  (the exchange or the database: both are waited for)
                log.warning("cannot recover yet", extra={"error": f"{type(error).__name__}: {error}"})
                pause = backoff(attempt, self.settings.backoff_base_seconds, self.settings.backoff_max_seconds)
                await asyncio.sleep(pause)
            else:
                log.info("recovered", extra=findings.document())
                self.recovered.set()
                return

    async def _reconcile(self) -> None:
        """When reports may have been missed, and now and then while orders are not settled."""
        while True:
            try:
                async with asyncio.timeout(self.settings.reconcile_seconds):
                    await self._due.wait()
            except TimeoutError:
                pass
            try:
                if self._due.is_set() or await self.reconciler.is_needed():
                    self._asking = True
                    self._due.clear()
                    await self.reconciler.run()
            except Exception as error:  # noqa: BLE001  (the exchange or the database; neither ends the service)
                self.metrics.errors.labels("reconcile").inc()
                log.warning("reconciliation failed, tried again", extra={"error": f"{type(error).__name__}: {error}"})
                await asyncio.sleep(self.settings.backoff_base_seconds)
                self._due.set()
            finally:
                self._asking = False

    def _request_reconciliation(self) -> None:
        self._due.set()

    async def _report(self, report: Report) -> None:
        try:
            await self.ledger.apply(report, "stream")
        except ApiError as error:
            log.warning("report not complete", extra={"txid": report.txid, "error": str(error)})
            self._due.set()
