"""Requests to the exchange that do not go through the service, signed by code of the suite's own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    import httpx


NONCES = 5


class Exchange:
    """Kraken's REST API, as the documentation says to ask it."""

    def __init__(self, client: httpx.AsyncClient, key: str, secret: str) -> None:
        self.client = client
        self.key = key
        self.secret = secret

    async def private(self, method: str, **params: object) -> dict[str, Any]:
        """The whole envelope. `key`, `secret` and `nonce` replace the right ones.

        The service uses the same key: a nonce that came after a later one of its is drawn again.
        """
        for _ in range(NONCES):
            envelope = await self._once(method, **params)
            if "nonce" in params or envelope["error"] != ["EAPI:Invalid nonce"]:
                break
        return envelope

    async def _once(self, method: str, **params: object) -> dict[str, Any]:
        key, secret = str(params.pop("key", self.key)), str(params.pop("secret", self.secret))
        nonce = str(params.pop("nonce", time.time_ns() // 1000))
        path, body = f"/0/private/{method}", urlencode({"nonce": nonce, **params})
        digest = hashlib.sha256((nonce + body).encode()).digest()
        signature = hmac.new(base64.b64decode(secret), path.encode() + digest, hashlib.sha512).digest()
        headers = {
            "API-Key": key,
            "API-Sign": base64.b64encode(signature).decode(),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        return dict((await self.client.post(path, content=body, headers=headers)).raise_for_status().json())

    async def public(self, method: str, **params: object) -> dict[str, Any]:
        shown = {name: str(value) for name, value in params.items()}
        return dict((await self.client.get(f"/0/public/{method}", params=shown)).raise_for_status().json())
