"""Which topic an event goes to. A broker's events have topics of its own; market data is shared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from alpha_panda.events.envelope import Broker, EventType

if TYPE_CHECKING:
    from alpha_panda.events.envelope import EventEnvelope

BROKERS: Final = (Broker.PAPER, Broker.ZERODHA)
MARKET_TICKS: Final = "market.ticks"
SUFFIXES: Final = {
    EventType.TRADING_SIGNAL: "signals.raw",
    EventType.SIGNAL_VALIDATED: "signals.validated",
    EventType.SIGNAL_REJECTED: "signals.rejected",
    EventType.ORDER_PLACED: "orders.placed",
    EventType.ORDER_FILLED: "orders.filled",
    EventType.PORTFOLIO_UPDATED: "portfolio.updates",
    EventType.DEAD_LETTER: "dlq",
}


class RoutingError(ValueError):
    """An event that belongs to no topic: a broker's event without a broker, or market data of one."""


@dataclass(frozen=True, slots=True)
class Topics:
    """The names of the topics, all behind a prefix when there is one: `PREFIX.paper.signals.raw`."""

    namespace: str = ""

    def of(self, kind: EventType, broker: Broker) -> str:
        """Raises RoutingError."""
        if (kind is EventType.MARKET_TICK) != (broker is Broker.SHARED):
            wanted = "shared" if kind is EventType.MARKET_TICK else "paper or zerodha"
            raise RoutingError(f"{kind}: its broker is {broker}, expected {wanted}")
        name = MARKET_TICKS if kind is EventType.MARKET_TICK else f"{broker}.{SUFFIXES[kind]}"
        return f"{self.namespace}.{name}" if self.namespace else name

    def for_event(self, event: EventEnvelope) -> str:
        """Raises RoutingError."""
        return self.of(event.type, event.broker)

    def all(self) -> list[str]:
        ticks = self.of(EventType.MARKET_TICK, Broker.SHARED)
        return [ticks, *(self.of(kind, broker) for broker in BROKERS for kind in SUFFIXES)]
