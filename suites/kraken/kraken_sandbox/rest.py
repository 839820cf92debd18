"""/0/public and /0/private: parameters, authentication, counters, faults and the envelope."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from aiohttp import web

from kraken_sandbox import errors
from kraken_sandbox.errors import ExchangeError
from kraken_sandbox.private import PRIVATE
from kraken_sandbox.public import PUBLIC
from kraken_sandbox.signature import is_signed

if TYPE_CHECKING:
    from kraken_sandbox.exchange import Exchange
    from kraken_sandbox.faults import FaultRule

Params = dict[str, str]


class RestApi:
    """Handlers for aiohttp."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/0/public/{method}", self.public),
            web.post("/0/public/{method}", self.public),
            web.post("/0/private/{method}", self.private),
        ]

    async def public(self, request: web.Request) -> web.StreamResponse:
        params = dict(request.query) | _form(await request.read(), request.content_type)
        return await self._answer(request, "public", params, b"")

    async def private(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        return await self._answer(request, "private", _form(body, request.content_type), body)

    async def _answer(self, request: web.Request, kind: str, params: Params, body: bytes) -> web.StreamResponse:
        method = request.match_info["method"]
        entry = self._exchange.remember(kind, method, params)
        rule = self._exchange.faults.strike(method)
        if rule is not None:
            entry["fault"] = rule.kind
            if (early := _instead(request, rule)) is not None:
                entry["outcome"] = "fault"
                return early
        envelope: dict[str, Any]
        try:
            if not request.headers.get("User-Agent"):
                raise ExchangeError(errors.INVALID_ARGUMENTS)  # noqa: TRY301  (one envelope for all errors)
            envelope = {"error": [], "result": self._carry_out(request, kind, method, params, body)}
        except ExchangeError as error:
            entry["outcome"] = error.code
            envelope = {"error": [error.code]}
        if rule is not None and rule.kind == "hold":
            await self._exchange.faults.released.wait()
        if rule is not None and rule.kind == "lose":
            return _cut(request)
        return web.json_response(envelope)

    def _carry_out(self, request: web.Request, kind: str, method: str, params: Params, body: bytes) -> Any:
        if kind == "public":
            if method not in PUBLIC:
                raise ExchangeError(errors.UNKNOWN_METHOD)
            return PUBLIC[method](self._exchange, params)
        self._authenticate(request, params, body)
        if method not in PRIVATE:
            raise ExchangeError(errors.UNKNOWN_METHOD)
        handler, cost = PRIVATE[method]
        if cost and not self._exchange.account.calls.add(cost):
            raise ExchangeError(errors.RATE_LIMIT)
        return handler(self._exchange, params)

    def _authenticate(self, request: web.Request, params: Params, body: bytes) -> None:
        account = self._exchange.account
        if request.headers.get("API-Key") != account.key:
            raise ExchangeError(errors.INVALID_KEY)
        given, nonce = request.headers.get("API-Sign", ""), params.get("nonce", "")
        if not is_signed(given, request.path, nonce, body, account.secret):
            raise ExchangeError(errors.INVALID_SIGNATURE)
        account.take_nonce(nonce)


def _form(body: bytes, content_type: str) -> Params:
    """Parameters of a body that is form-encoded, or JSON."""
    if content_type == "application/json":
        try:
            found = json.loads(body)
        except ValueError:
            return {}
        return {name: str(value) for name, value in found.items()} if isinstance(found, dict) else {}
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def _instead(request: web.Request, rule: FaultRule) -> web.StreamResponse | None:
    """What is answered in the place of carrying the request out; None if it is to be carried out."""
    match rule.kind:
        case "error":
            return web.json_response({"error": rule.errors})
        case "status":
            return web.Response(status=rule.status, text="<html>not available</html>", content_type="text/html")
        case "malformed":
            return web.Response(text='{"error": [], "result": {', content_type="application/json")
        case "drop":
            return _cut(request)
        case "lose" | "hold":
            return None


def _cut(request: web.Request) -> web.StreamResponse:
    """Close the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
