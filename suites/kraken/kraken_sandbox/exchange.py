"""The exchange as a whole: its markets, its customer, its faults, and what was asked of it."""

from __future__ import annotations

import time
from collections import deque
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from kraken_sandbox import errors
from kraken_sandbox.account import Account
from kraken_sandbox.engine import Engine
from kraken_sandbox.errors import ExchangeError
from kraken_sandbox.faults import Faults
from kraken_sandbox.instrument import Instrument
from kraken_sandbox.market import Market

if TYPE_CHECKING:
    from kraken_sandbox.settings import Settings

REMEMBERED: Final = 20_000
INITIAL: Final = {"ZEUR": Decimal(1_000_000_000), "XXBT": Decimal(1_000)}
XBTEUR: Final = Instrument("XXBTZEUR", "XBTEUR", "XXBT", "ZEUR", "XBT/EUR")


class Exchange:
    """One account is enough: a key that is not its key is refused as the real exchange refuses it."""

    def __init__(self, settings: Settings) -> None:
        self.account = Account(
            settings.kraken_api_key.get_secret_value(),
            settings.kraken_api_secret.get_secret_value(),
            settings.tier,
            settings.maker_fee,
            settings.taker_fee,
        )
        self.account.balances.update(INITIAL)
        self.engine = Engine(self.account)
        self.faults = Faults()
        self.status = "online"
        self.requests: deque[dict[str, Any]] = deque(maxlen=REMEMBERED)
        self.markets: dict[str, Market] = {}
        self._names: dict[str, Market] = {}
        self.served = 0
        self.list_market(Market(XBTEUR, Decimal("50000.0"), Decimal(5)))

    def list_market(self, market: Market) -> None:
        pair = market.instrument
        self.markets[pair.name] = market
        for name in (pair.name, pair.altname, pair.wsname, pair.symbol):
            self._names[name] = market

    def market(self, name: str) -> Market:
        """By any of the names that a pair has. Raises ExchangeError."""
        if name not in self._names:
            raise ExchangeError(errors.UNKNOWN_PAIR)
        return self._names[name]

    def remember(self, kind: str, method: str, params: dict[str, str]) -> dict[str, Any]:
        """A request that was made; never with its headers."""
        self.served += 1
        entry: dict[str, Any] = {
            "number": self.served,
            "kind": kind,
            "method": method,
            "params": params,
            "at": time.time(),
            "outcome": "ok",
        }
        self.requests.append(entry)
        return entry
