"""What the exchange says of a pair: names, precision and minima."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from kraken.api import KrakenApi

V2_NAMES: Final = {"XBT": "BTC", "XDG": "DOGE"}


@dataclass(frozen=True, slots=True)
class Pair:
    """`name` is the one that requests use, `key` that of answers, `symbol` that of the WebSocket."""

    name: str
    key: str
    symbol: str
    base: str
    quote: str
    price_decimals: int
    lot_decimals: int
    minimum: Decimal
    minimum_cost: Decimal
    taker_fee: Decimal
    maker_fee: Decimal

    @property
    def tick(self) -> Decimal:
        return Decimal(1).scaleb(-self.price_decimals)

    def lot(self, volume: Decimal) -> Decimal:
        """Rounded down to what can be traded."""
        return volume.quantize(Decimal(1).scaleb(-self.lot_decimals), ROUND_DOWN)

    @classmethod
    def parse(cls, key: str, entry: dict[str, Any]) -> Pair:
        wsname = str(entry["wsname"])
        return cls(
            name=str(entry["altname"]),
            key=key,
            symbol="/".join(V2_NAMES.get(asset, asset) for asset in wsname.split("/")),
            base=str(entry["base"]),
            quote=str(entry["quote"]),
            price_decimals=int(entry["pair_decimals"]),
            lot_decimals=int(entry["lot_decimals"]),
            minimum=Decimal(str(entry["ordermin"])),
            minimum_cost=Decimal(str(entry.get("costmin", "0"))),
            taker_fee=Decimal(str(entry["fees"][0][1])) / 100,
            maker_fee=Decimal(str((entry.get("fees_maker") or entry["fees"])[0][1])) / 100,
        )


class Pairs:
    """Asked once each, and remembered."""

    def __init__(self, api: KrakenApi) -> None:
        self._api = api
        self._known: dict[str, Pair] = {}

    async def get(self, name: str) -> Pair:
        """By any of its names. Raises ApiError, RejectedError for one that does not exist."""
        if name not in self._known:
            for key, entry in (await self._api.public("AssetPairs", pair=name)).items():
                self.remember(Pair.parse(key, entry), name)
        return self._known[name]

    def remember(self, pair: Pair, *more: str) -> None:
        for name in (pair.name, pair.key, pair.symbol, *more):
            self._known[name] = pair

    def known(self, name: str) -> Pair | None:
        return self._known.get(name)
