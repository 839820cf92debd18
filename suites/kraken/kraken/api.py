"""Kraken's Spot REST API: signed, limited, retried and behind the circuit breaker."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, Final, Self

import aiohttp

from kraken.breaker import CircuitBreaker
from kraken.bugs import Bug
from kraken.errors import ApiError, RateLimitedError, UnavailableError, from_codes
from kraken.limiter import RateLimiter
from kraken.retry import RetryPolicy
from kraken.signing import Nonces, encode, sign

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kraken.metrics import Metrics
    from kraken.settings import Settings

USER_AGENT: Final = "seatrial-kraken/0.1"
FORM: Final = "application/x-www-form-urlencoded"
TOO_MANY_REQUESTS: Final = 429
SERVER_ERROR: Final = 500
COSTS: Final = {"AddOrder": 0, "CancelOrder": 0, "TradesHistory": 2, "Ledgers": 2}
"""What a private method adds to the call counter, where that is not 1: the guide "REST rate limits"."""
log = logging.getLogger(__name__)


class KrakenApi:
    """Asks, and gives back the `result` of the envelope. Use as an async context manager."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._base = settings.api_domain.rstrip("/")
        self._nonces = Nonces()
        self._turn = asyncio.Lock()
        self._session: aiohttp.ClientSession | None = None
        self.breaker = CircuitBreaker(settings.breaker_failures, settings.breaker_open_seconds)
        self.retries = RetryPolicy(settings)
        self.limiter = RateLimiter(*settings.call_counter)
        self.public_limiter = RateLimiter(settings.public_calls_per_second * 10, settings.public_calls_per_second)

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=self._settings.request_timeout_seconds)
        self._session = aiohttp.ClientSession(timeout=timeout, headers={"User-Agent": USER_AGENT})
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        assert self._session is not None, "enter the context first"  # noqa: S101
        return self._session

    async def public(self, method: str, **params: object) -> Any:
        """GET /0/public/METHOD. Raises ApiError."""
        given = {name: str(value) for name, value in params.items() if value is not None}
        return await self._repeat("public", method, given, self.public_limiter, 1, repeatable=True)

    async def private(self, method: str, params: Mapping[str, str] | None = None, *, repeatable: bool = True) -> Any:
        """POST /0/private/METHOD. `repeatable`: carrying it out twice does no harm. Raises ApiError."""
        cost = COSTS.get(method, 1)
        return await self._repeat("private", method, dict(params or {}), self.limiter, cost, repeatable=repeatable)

    async def _repeat(
        self, kind: str, method: str, params: dict[str, str], limiter: RateLimiter, cost: float, *, repeatable: bool
    ) -> Any:
        async for attempt in self.retries.attempts(method, repeatable=repeatable):
            with attempt:
                if attempt.retry_state.attempt_number > 1:
                    self._metrics.retries.labels(method).inc()
                if cost:
                    await limiter.acquire(cost)
                try:
                    return await self._guarded(kind, method, params)
                except RateLimitedError:
                    limiter.saturate()
                    raise
        raise AssertionError("the last error is raised")

    async def _guarded(self, kind: str, method: str, params: dict[str, str]) -> Any:
        """One request, which the circuit breaker learns of."""
        self.breaker.enter(method)
        began, outcome = time.perf_counter(), "cancelled"
        try:
            # One private request at a time: nonces must arrive in their order.
            if kind == "private":
                async with self._turn:
                    result = await self._private_once(method, params)
            else:
                result = await self._receive(method, "GET", f"/0/public/{method}", params=params)
        except UnavailableError:
            outcome = "unavailable"
            if self._settings.kraken_bug is not Bug.BREAKER_STAYS_CLOSED:
                self.breaker.failed()
            raise
        except ApiError as error:
            outcome = type(error).__name__.removesuffix("Error").lower()
            self.breaker.succeeded()
            raise
        except BaseException:
            self.breaker.abandoned()
            raise
        else:
            outcome = "ok"
            self.breaker.succeeded()
            return result
        finally:
            self._metrics.request(method, time.perf_counter() - began, outcome)
            self._metrics.breaker.set(self.breaker.state != "closed")

    async def _private_once(self, method: str, params: dict[str, str]) -> Any:
        path, nonce = f"/0/private/{method}", self._nonces.next()
        body = encode(nonce, params)
        headers = {
            "API-Key": self._settings.kraken_api_key.get_secret_value(),
            "API-Sign": sign(path, nonce, body, self._settings.kraken_api_secret.get_secret_value()),
            "Content-Type": FORM,
        }
        return await self._receive(method, "POST", path, data=body, headers=headers)

    async def _receive(self, method: str, verb: str, path: str, **more: Any) -> Any:
        try:
            async with self.session.request(verb, f"{self._base}{path}", **more) as response:
                if response.status == TOO_MANY_REQUESTS:
                    raise RateLimitedError(method, "HTTP status 429")
                if response.status >= SERVER_ERROR:
                    raise UnavailableError(method, f"HTTP status {response.status}")
                envelope = await response.json(content_type=None)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise UnavailableError(method, f"no connection: {error}", sent=False) from None
        except TimeoutError:
            waited = self._settings.request_timeout_seconds
            raise UnavailableError(method, f"no answer within {waited:g} s") from None
        except aiohttp.ClientError as error:
            raise UnavailableError(method, f"{type(error).__name__}: {error}") from None
        except ValueError:
            raise UnavailableError(method, "the answer is not JSON") from None
        if not isinstance(envelope, dict) or not isinstance(envelope.get("error"), list):
            raise UnavailableError(method, "the answer is not an envelope")
        if envelope["error"]:
            raise from_codes(method, [str(code) for code in envelope["error"]])
        return envelope.get("result")
