"""What is known about a symbol, and what its position is worth. Pure values; decimals are exact to 28 digits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, Literal

from position_manager.messages import Trigger  # noqa: TC001 - read at run time when a state is decoded

ZERO: Final = Decimal(0)
MILLISECONDS_PER_HOUR: Final = 3_600_000


@dataclass(frozen=True, slots=True)
class Prices:
    """The latest price of each leg and the event time they hold from."""

    long: Decimal
    short: Decimal
    at_ms: int


@dataclass(frozen=True, slots=True)
class Leg:
    """One side of a position, in base units at its average entry price."""

    quantity: Decimal
    entry_price: Decimal

    def gain(self, price: Decimal, direction: Literal[1, -1]) -> Decimal:
        """Unrealised P&L at a price; direction is 1 for a long leg and -1 for a short one."""
        return direction * self.quantity * (price - self.entry_price)

    def resized(self, quantity: Decimal, price: Decimal) -> Leg:
        """Growing averages the entry price, shrinking keeps it."""
        if quantity <= self.quantity:
            return replace(self, quantity=quantity)
        cost = self.quantity * self.entry_price + (quantity - self.quantity) * price
        return Leg(quantity, cost / quantity)


@dataclass(frozen=True, slots=True)
class Position:
    """A long leg (spot) hedged by a short leg (perpetual)."""

    position_id: str
    long: Leg
    short: Leg
    capital: Decimal
    realized: Decimal = ZERO
    funding: Decimal = ZERO
    peak_ratio: Decimal = ZERO
    closed_by: Trigger | None = None

    @property
    def is_open(self) -> bool:
        return self.closed_by is None

    @property
    def imbalance(self) -> Decimal:
        """Net delta over the larger leg: -1 (only short) to 1 (only long)."""
        larger = max(self.long.quantity, self.short.quantity)
        return (self.long.quantity - self.short.quantity) / larger if larger else ZERO

    def unrealized(self, prices: Prices) -> Decimal:
        return self.long.gain(prices.long, 1) + self.short.gain(prices.short, -1)

    def total(self, prices: Prices) -> Decimal:
        return self.realized + self.funding + self.unrealized(prices)

    def ratio(self, prices: Prices) -> Decimal:
        return self.total(prices) / self.capital

    def resized(self, long: Decimal, short: Decimal, prices: Prices) -> Position:
        """The position after trading to these quantities: what shrinks is realised, what grows adds capital.

        The total P&L at these prices is unchanged by it.
        """
        growth = (
            max(ZERO, long - self.long.quantity) * prices.long + max(ZERO, short - self.short.quantity) * prices.short
        )
        resized = replace(
            self,
            long=self.long.resized(long, prices.long),
            short=self.short.resized(short, prices.short),
            capital=self.capital + growth / 2,
        )
        return replace(resized, realized=self.realized + self.unrealized(prices) - resized.unrealized(prices))


def opened(position_id: str, long: Leg, short: Leg) -> Position:
    """A new position; at least one leg must hold something."""
    cost = long.quantity * long.entry_price + short.quantity * short.entry_price
    return Position(position_id, long, short, capital=cost / 2)


@dataclass(frozen=True, slots=True)
class PricePoint:
    """One price of the rolling window."""

    at_ms: int
    price: float


@dataclass(frozen=True, slots=True)
class SymbolState:
    """Everything that survives a restart."""

    symbol: str
    revision: int = 0
    partition: int = -1
    funding_ms: int = 0
    funding_rate: Decimal = ZERO
    funding_interval_hours: int = 8
    market_ms: int = 0
    prices: Prices | None = None
    window: tuple[PricePoint, ...] = ()
    position: Position | None = None

    def accrued(self, until_ms: int) -> SymbolState:
        """The funding that the short leg earned (or paid) since the last context, at the rate of that context."""
        position, prices = self.position, self.prices
        if position is None or prices is None or not position.is_open or not self.funding_ms:
            return self
        elapsed = Decimal(until_ms - self.funding_ms) / (self.funding_interval_hours * MILLISECONDS_PER_HOUR)
        earned = position.short.quantity * prices.short * self.funding_rate * elapsed
        return replace(self, position=replace(position, funding=position.funding + earned))

    def priced(self, prices: Prices) -> SymbolState:
        """Prices are only ever replaced by newer ones, whichever topic brings them."""
        if self.prices is not None and prices.at_ms < self.prices.at_ms:
            return self
        return replace(self, prices=prices)
