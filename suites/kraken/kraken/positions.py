"""The position manager: what the trades add up to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kraken.models import ZERO, Trade, text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from kraken.journal import Journal


@dataclass(frozen=True, slots=True)
class Position:
    """`volume` is negative when more was sold than bought. `realized` is before fees; amounts are in the quote."""

    volume: Decimal = ZERO
    entry_price: Decimal = ZERO
    realized: Decimal = ZERO
    fees: Decimal = ZERO
    trades: int = 0

    def after(self, trade: Trade) -> Position:
        """Growing averages the entry price, shrinking realises, crossing zero opens anew at the trade's price."""
        signed = trade.volume if trade.side == "buy" else -trade.volume
        volume, entry, realized = self.volume + signed, self.entry_price, self.realized
        if self.volume * signed >= 0:
            paid = abs(self.volume) * self.entry_price + trade.volume * trade.price
            entry = paid / abs(volume)
        else:
            closed = min(abs(self.volume), trade.volume)
            direction = 1 if self.volume > 0 else -1
            realized += direction * closed * (trade.price - self.entry_price)
            if not volume:
                entry = ZERO
            elif (volume > 0) != (self.volume > 0):
                entry = trade.price
        changed = replace(self, volume=volume, entry_price=entry, realized=realized)
        return replace(changed, fees=self.fees + trade.fee, trades=self.trades + 1)

    def unrealized(self, price: Decimal) -> Decimal:
        return self.volume * (price - self.entry_price)

    def document(self, pair: str, price: Decimal | None) -> dict[str, Any]:
        return {
            "pair": pair,
            "volume": text(self.volume),
            "entry_price": text(self.entry_price),
            "realized_pnl": text(self.realized),
            "unrealized_pnl": text(self.unrealized(price)) if price is not None else None,
            "fees": text(self.fees),
            "trades": self.trades,
        }


def fold(trades: Iterable[Trade]) -> Position:
    """The position after these trades, in their order."""
    position = Position()
    for trade in trades:
        position = position.after(trade)
    return position


class PositionManager:
    """Positions are never stored: they follow from the journal, so they cannot disagree with it."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def position(self, pair: str) -> Position:
        return fold(await self._journal.trades(pair=pair))

    async def exposure(self, pair: str) -> tuple[Decimal, Decimal]:
        """The most that can be held, and the least, when all that is on order trades."""
        position, unsettled = await self.position(pair), await self._journal.unsettled_volume(pair)
        return position.volume + unsettled["buy"], position.volume - unsettled["sell"]
