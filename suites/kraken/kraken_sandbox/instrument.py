"""A pair as AssetPairs describes it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

V2_ASSETS: Final = {"XBT": "BTC", "XDG": "DOGE"}
"""Assets that the WebSocket v2 API names as everybody else does."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """`name` is the key of answers (XXBTZEUR), `altname` what requests use (XBTEUR), `base` and `quote` are assets."""

    name: str
    altname: str
    base: str
    quote: str
    wsname: str
    pair_decimals: int = 1
    lot_decimals: int = 8
    cost_decimals: int = 5
    ordermin: Decimal = Decimal("0.00005")
    costmin: Decimal = Decimal("0.45")

    @property
    def symbol(self) -> str:
        """Of the WebSocket v2 API."""
        return "/".join(V2_ASSETS.get(asset, asset) for asset in self.wsname.split("/"))

    @property
    def tick(self) -> Decimal:
        return Decimal(1).scaleb(-self.pair_decimals)

    def price(self, value: Decimal) -> Decimal:
        return value.quantize(self.tick, ROUND_HALF_UP)

    def lot(self, value: Decimal) -> Decimal:
        return value.quantize(Decimal(1).scaleb(-self.lot_decimals), ROUND_HALF_UP)

    def cost(self, value: Decimal) -> Decimal:
        return value.quantize(Decimal(1).scaleb(-self.cost_decimals), ROUND_HALF_UP)

    def document(self, maker_fee: Decimal, taker_fee: Decimal) -> dict[str, Any]:
        """The entry of AssetPairs; fees are in percent there."""
        return {
            "altname": self.altname,
            "wsname": self.wsname,
            "aclass_base": "currency",
            "base": self.base,
            "aclass_quote": "currency",
            "quote": self.quote,
            "lot": "unit",
            "cost_decimals": self.cost_decimals,
            "pair_decimals": self.pair_decimals,
            "lot_decimals": self.lot_decimals,
            "lot_multiplier": 1,
            "leverage_buy": [],
            "leverage_sell": [],
            "fees": [[0, float(taker_fee * 100)]],
            "fees_maker": [[0, float(maker_fee * 100)]],
            "fee_volume_currency": "ZUSD",
            "margin_call": 80,
            "margin_stop": 40,
            "ordermin": f"{self.ordermin:f}",
            "costmin": f"{self.costmin:f}",
            "tick_size": f"{self.tick:f}",
            "status": "online",
        }
