"""Execution: a validated signal is placed as an order and filled, at the signal's price.

Both brokers are simulated here, nothing leaves the process; they differ in what they charge.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from alpha_panda.events.data import Order, TradingSignal
from alpha_panda.events.envelope import Broker, EventType
from alpha_panda.events.identifiers import derived
from alpha_panda.stages.work import StageHandler

if TYPE_CHECKING:
    from collections.abc import Iterable

    from alpha_panda.events.envelope import EventEnvelope

# Zerodha's published brokerage for intraday equity: the lower of 0.03 % and 20 rupees an order.
ZERODHA_RATE: Final = Decimal("0.0003")
ZERODHA_MOST: Final = Decimal(20)
CENT: Final = Decimal("0.01")


class ExecutionHandler(StageHandler):
    """Has no state: an order's id follows from its signal, so it cannot be placed twice."""

    service = "execution"

    def state_keys(self, event: EventEnvelope) -> Iterable[str]:  # noqa: ARG002
        return ()

    def apply(self, event: EventEnvelope) -> Iterable[EventEnvelope]:
        signal = event.payload(TradingSignal)
        order = Order(
            order_id=derived(event.id, "order"),
            strategy_id=signal.strategy_id,
            instrument_token=signal.instrument_token,
            side=signal.signal_type,
            quantity=signal.quantity,
            price=signal.price,
        )
        placed = event.child(EventType.ORDER_PLACED, order, source=self.service)
        charged = order.model_copy(update={"charges": charges(self.broker, signal.value)})
        return placed, placed.child(EventType.ORDER_FILLED, charged, source=self.service)


def charges(broker: Broker, value: Decimal) -> Decimal:
    """What a broker takes for an order of that value."""
    if broker is not Broker.ZERODHA:
        return Decimal(0)
    return min(value * ZERODHA_RATE, ZERODHA_MOST).quantize(CENT)
