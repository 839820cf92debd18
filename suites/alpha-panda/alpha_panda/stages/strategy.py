"""Strategy: a tick of the shared market data becomes the signals of one broker's strategies."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from alpha_panda.events.data import MarketTick, SignalType, TradingSignal
from alpha_panda.events.envelope import EventType
from alpha_panda.stages.work import StageHandler, payload_or_none

if TYPE_CHECKING:
    from collections.abc import Iterable

    from alpha_panda.configuration import Strategy
    from alpha_panda.events.envelope import EventEnvelope

_OPPOSITE = {SignalType.BUY: SignalType.SELL, SignalType.SELL: SignalType.BUY}


class StrategyHandler(StageHandler):
    """Remembers, for each strategy and instrument, the price of its last signal (at first: of the first tick)."""

    service = "strategy"

    def state_keys(self, event: EventEnvelope) -> Iterable[str]:
        tick = payload_or_none(event, MarketTick)
        if tick is None:
            return ()
        strategies = self.configuration.strategies_for(self.broker, tick.instrument_token)
        return [_key(strategy, tick.instrument_token) for strategy in strategies]

    def apply(self, event: EventEnvelope) -> Iterable[EventEnvelope]:
        tick = event.payload(MarketTick)
        for strategy in self.configuration.strategies_for(self.broker, tick.instrument_token):
            key = _key(strategy, tick.instrument_token)
            stored = self.stored(key)
            reference = Decimal(stored.decode()) if stored is not None else None
            kind = wanted(strategy, reference, tick.last_price)
            if reference is None or kind is not SignalType.HOLD:
                self.keep(key, str(tick.last_price).encode())
            if reference is None or kind is SignalType.HOLD:
                continue
            signal = TradingSignal(
                strategy_id=strategy.strategy_id,
                instrument_token=tick.instrument_token,
                signal_type=kind,
                quantity=strategy.quantity,
                price=tick.last_price,
                timestamp=tick.timestamp,
                metadata={"kind": strategy.kind, "reference": str(reference)},
            )
            yield event.child(
                EventType.TRADING_SIGNAL,
                signal,
                source=self.service,
                key=strategy.strategy_id,
                broker=self.broker,
                part=strategy.strategy_id,
            )


def wanted(strategy: Strategy, reference: Decimal | None, price: Decimal) -> SignalType:
    """Momentum follows a move of the threshold's size, mean reversion bets against it."""
    if reference is None or abs(price / reference - 1) < strategy.threshold:
        return SignalType.HOLD
    moved = SignalType.BUY if price > reference else SignalType.SELL
    return moved if strategy.kind == "momentum" else _OPPOSITE[moved]


def _key(strategy: Strategy, instrument: int) -> str:
    return f"{strategy.strategy_id}:{instrument}"
