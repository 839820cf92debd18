"""The service over HTTP: health and metrics for everybody, /v1 for who has the control token."""

from __future__ import annotations

import asyncio
import hmac
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web
from pydantic import ValidationError

from kraken.errors import ApiError, ConflictError, DataError, RejectedError, RiskError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kraken.bot import TradingBot

OPEN_PATHS: Final = ("/healthz", "/metrics")
CHECK_SECONDS: Final = 2
BOT: Final = web.AppKey("bot", object)


def problem(status: int, error: str, **more: Any) -> web.Response:
    return web.json_response({"error": error, **more}, status=status)


def guard(bot: TradingBot) -> Any:
    """Middleware: who may ask, whether the service is ready, and which status an error has."""
    token = bot.settings.control_token

    @web.middleware
    async def middleware(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.path in OPEN_PATHS:
            return await handler(request)
        given = request.headers.get("Authorization", "")
        if token is not None and not hmac.compare_digest(given.encode(), f"Bearer {token.get_secret_value()}".encode()):
            return problem(401, "the control token is missing or wrong: Authorization: Bearer TOKEN")
        if not bot.recovered.is_set() and request.path.startswith("/v1/"):
            return problem(503, "recovering: it is not known yet what became of earlier orders; ask again")
        return await _answer(request, handler)

    return middleware


async def _answer(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except ValidationError as error:
        found = [f"{'.'.join(map(str, item['loc'])) or 'body'}: {item['msg']}" for item in error.errors()]
        return problem(400, "; ".join(found))
    except (ValueError, ArithmeticError) as error:
        return problem(400, str(error) or "a number cannot be read")
    except LookupError as error:
        return problem(404, str(error))
    except ConflictError as error:
        return problem(409, str(error))
    except RiskError as error:
        return problem(422, str(error), violations=error.violations)
    except RejectedError as error:
        return problem(404 if any("Unknown" in code for code in error.codes) else 422, str(error))
    except DataError as error:
        return problem(502, str(error))
    except ApiError as error:
        return problem(503, str(error))


async def health(request: web.Request) -> web.Response:
    """200 once earlier orders are accounted for and the database answers."""
    bot = bot_of(request)
    database = "ok"
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await bot.journal.ping()
    except TimeoutError:
        database = f"no answer within {CHECK_SECONDS} s"
    except Exception as error:  # noqa: BLE001  (whatever it is, it is the answer)
        database = type(error).__name__
    ready = bot.recovered.is_set() and database == "ok"
    body = {"ready": ready, "recovered": bot.recovered.is_set(), "database": database, "run": str(bot.run_id)}
    return web.json_response(body, status=200 if ready else 503)


async def metrics(request: web.Request) -> web.Response:
    return web.Response(body=bot_of(request).metrics.exposition(), content_type="text/plain")


async def status(request: web.Request) -> web.Response:
    """How it is, and what it may do."""
    bot = bot_of(request)
    api = bot.api
    streams = {
        stream.name: {"connected": stream.subscribed.is_set(), "connections": stream.connections}
        for stream in (bot.market.stream, bot.executions.stream)
    }
    degraded = api.breaker.state != "closed" or not streams["executions"]["connected"]
    return web.json_response(
        {
            "run": str(bot.run_id),
            "mode": bot.settings.trading_mode,
            "state": "halted" if bot.override.halted else "degraded" if degraded else "active",
            "halted": bot.override.halted,
            "production": bot.settings.is_production,
            "breaker": {
                "state": api.breaker.state,
                "failures": api.breaker.failures,
                "times_opened": api.breaker.times_opened,
            },
            "call_counter": {"value": api.limiter.counter, "maximum": api.limiter.maximum},
            "limits": bot.limits.model_dump(mode="json", include=set(type(bot.limits).model_fields)),
            "streams": streams,
            "reconciling": bot.reconciling,
            "exits_failing": bot.exits.failing,
            "watched": sorted(bot.market.watched),
        }
    )


async def statistics(request: web.Request) -> web.Response:
    return web.json_response(bot_of(request).metrics.statistics())


async def retries(request: web.Request) -> web.Response:
    """The latest requests that were made again; `method` keeps those of one."""
    method = request.query.get("method")
    found = [asdict(retry) for retry in bot_of(request).api.retries.recent if method in {None, retry.method}]
    return web.json_response({"retries": found})


def bot_of(request: web.Request) -> TradingBot:
    bot: Any = request.app[BOT]
    found: TradingBot = bot
    return found
