"""One customer: credentials, balances, nonce and counters."""

from __future__ import annotations

import secrets
import time
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from kraken_sandbox.counters import Counter, Tier
from kraken_sandbox.errors import DEADLINE, INVALID_NONCE, ExchangeError

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN_SECONDS: Final = 900
"""A WebSocket token must be used within 15 minutes."""
NONCE_BITS: Final = 64


@dataclass
class Account:
    """Balances are totals; `held` is the part of them that open orders need."""

    key: str
    secret: str
    tier: Tier
    maker_fee: Decimal
    taker_fee: Decimal
    clock: Callable[[], float] = time.monotonic
    balances: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    held: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    nonce: int = 0
    tokens: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.calls = Counter(self.tier.rest_max, self.tier.rest_decay, self.clock)
        self._engines: dict[str, Counter] = {}

    def engine(self, pair: str) -> Counter:
        """The trading engine's counter for a pair."""
        if pair not in self._engines:
            self._engines[pair] = Counter(self.tier.engine_max, self.tier.engine_decay, self.clock)
        return self._engines[pair]

    def available(self, asset: str) -> Decimal:
        return self.balances[asset] - self.held[asset]

    def take_nonce(self, text: str) -> None:
        """Every nonce must be greater than all before it."""
        if not text.isascii() or not text.isdigit() or not self.nonce < int(text) < 1 << NONCE_BITS:
            raise ExchangeError(INVALID_NONCE)
        self.nonce = int(text)

    def new_token(self) -> str:
        token = secrets.token_urlsafe(32)
        self.tokens[token] = self.clock() + TOKEN_SECONDS
        return token

    def has_token(self, token: object) -> bool:
        return isinstance(token, str) and self.tokens.get(token, 0) > self.clock()


def check_deadline(deadline: float | None, now: float) -> None:
    """An order that arrives after its deadline is refused."""
    if deadline is not None and now > deadline:
        raise ExchangeError(DEADLINE)
