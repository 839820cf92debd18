"""API-Sign and nonces, as the exchange's guide "Spot REST Authentication" defines them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import TYPE_CHECKING
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def sign(path: str, nonce: int, body: str, secret: str) -> str:
    """Base64 of HMAC-SHA512(path + SHA256(nonce + body)); the key is the decoded secret.

    `path` begins with /0/private, `body` is the form-encoded body as it is sent, with the nonce in it.
    """
    message = path.encode() + hashlib.sha256(f"{nonce}{body}".encode()).digest()
    return base64.b64encode(hmac.new(base64.b64decode(secret), message, hashlib.sha512).digest()).decode()


def encode(nonce: int, params: Mapping[str, str]) -> str:
    return urlencode({"nonce": str(nonce), **params})


class Nonces:
    """Each greater than all before it, also than those of an earlier process: microseconds since 1970."""

    def __init__(self, clock: Callable[[], int] = time.time_ns) -> None:
        self._clock = clock
        self._last = 0

    def next(self) -> int:
        self._last = max(self._last + 1, self._clock() // 1000)
        return self._last
