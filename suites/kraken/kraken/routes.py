"""/v1: market data, orders, positions and the manual override."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from kraken import http
from kraken.candles import INTERVALS
from kraken.crash import Point
from kraken.errors import ApiError
from kraken.http import bot_of
from kraken.limits import Tightening
from kraken.models import Order, OrderRequest, Status

if TYPE_CHECKING:
    from kraken.bot import TradingBot

HTTP_STATUS = {Status.PENDING: 202, Status.REJECTED: 422, Status.NOT_PLACED: 503}
Positive = Annotated[Decimal, Field(gt=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Sizing(_Strict):
    """How much to trade with this capital and this stop?"""

    pair: str
    side: Literal["buy", "sell"] = "buy"
    stop: Positive
    capital: Positive


class Workflow(_Strict):
    """A whole trade; its volume follows from its stop."""

    pair: str
    side: Literal["buy", "sell"] = "buy"
    stop_loss: Positive
    take_profit: Positive | None = None
    capital: Positive


class Halt(_Strict):
    """Why."""

    reason: str = Field(min_length=1, max_length=200)


class Kill(_Strict):
    """When."""

    at: Point = Point.NOW


def application(bot: TradingBot) -> web.Application:
    app = web.Application(middlewares=[http.guard(bot)])
    app[http.BOT] = bot
    app.add_routes(
        [
            web.get("/healthz", http.health),
            web.get("/metrics", http.metrics),
            web.get("/v1/status", http.status),
            web.get("/v1/statistics", http.statistics),
            web.get("/v1/retries", http.retries),
            web.post("/v1/watch/{pair}", watch),
            web.get("/v1/ticker/{pair}", ticker),
            web.get("/v1/ohlc/{pair}", ohlc),
            web.get("/v1/depth/{pair}", depth),
            web.get("/v1/trades/{pair}", market_trades),
            web.get("/v1/pairs/{pair}", pair_info),
            web.get("/v1/balances", balances),
            web.post("/v1/orders", place),
            web.get("/v1/orders", orders),
            web.get("/v1/orders/{id}", order),
            web.delete("/v1/orders/{id}", cancel),
            web.post("/v1/sizes", sizes),
            web.post("/v1/workflows", workflow),
            web.get("/v1/positions/{pair}", position),
            web.post("/v1/reconciliations", reconcile),
            web.post("/v1/halt", halt),
            web.delete("/v1/halt", resume),
            web.patch("/v1/limits", tighten),
            web.delete("/v1/limits", lift),
            web.delete("/v1/breaker", reset_breaker),
        ]
    )
    if bot.settings.admin_faults:
        app.add_routes([web.post("/admin/kill", kill)])
    return app


async def watch(request: web.Request) -> web.Response:
    bot = bot_of(request)
    pair = await bot.pairs.get(request.match_info["pair"])
    await bot.market.watch(pair)
    return web.json_response({"pair": pair.name, "symbol": pair.symbol})


async def ticker(request: web.Request) -> web.Response:
    return web.json_response((await bot_of(request).data.ticker(request.match_info["pair"])).document("ticker"))


async def ohlc(request: web.Request) -> web.Response:
    minutes = int(request.query.get("interval", "1"))
    if minutes not in INTERVALS:
        return http.problem(400, f"interval: {minutes} is none of {', '.join(map(str, INTERVALS))} minutes")
    refresh = request.query.get("refresh") == "true"
    shown = await bot_of(request).data.history(request.match_info["pair"], minutes, refresh=refresh)
    return web.json_response(shown.document("candles"))


async def depth(request: web.Request) -> web.Response:
    count = int(request.query.get("count", "10"))
    return web.json_response((await bot_of(request).data.depth(request.match_info["pair"], count)).document("depth"))


async def market_trades(request: web.Request) -> web.Response:
    count = int(request.query.get("count", "100"))
    return web.json_response({"trades": await bot_of(request).data.trades(request.match_info["pair"], count)})


async def pair_info(request: web.Request) -> web.Response:
    pair = await bot_of(request).pairs.get(request.match_info["pair"])
    shown = {name: str(getattr(pair, name)) for name in ("name", "symbol", "base", "quote", "minimum", "tick")}
    fees = {"taker_fee": f"{pair.taker_fee:f}", "maker_fee": f"{pair.maker_fee:f}"}
    return web.json_response(shown | fees)


async def balances(request: web.Request) -> web.Response:
    """What the account has, total."""
    return web.json_response({"balances": await bot_of(request).api.private("Balance")})


async def place(request: web.Request) -> web.Response:
    return _shown(await bot_of(request).trade(OrderRequest.model_validate_json(await request.read())), created=201)


async def orders(request: web.Request) -> web.Response:
    """The journal's; `status` and `pair` select."""
    wanted = request.query.get("status")
    statuses = tuple(Status(name) for name in wanted.split(",")) if wanted else ()
    found = await bot_of(request).journal.orders(statuses=statuses, pair=request.query.get("pair"))
    return web.json_response({"orders": [item.document() for item in found]})


async def order(request: web.Request) -> web.Response:
    """One order with its trades and exits."""
    journal, order_id = bot_of(request).journal, UUID(request.match_info["id"])
    found = await journal.get(order_id)
    trades = [trade.document() for trade in await journal.trades(order_id=order_id)]
    exits = [item.document() for item in await journal.exits(order_id)]
    return web.json_response(found.document() | {"trades": trades, "exits": exits})


async def cancel(request: web.Request) -> web.Response:
    return _shown(await bot_of(request).executor.cancel(UUID(request.match_info["id"])), created=200)


async def sizes(request: web.Request) -> web.Response:
    wanted = Sizing.model_validate_json(await request.read())
    return web.json_response(await bot_of(request).size(wanted.pair, wanted.side, wanted.stop, wanted.capital))


async def workflow(request: web.Request) -> web.Response:
    wanted = Workflow.model_validate_json(await request.read())
    members = wanted.model_dump(exclude={"capital"})
    # The volume is a placeholder of the request's form: the sizing replaces it.
    asked = OrderRequest.model_validate(members | {"type": "market", "volume": 1})
    return _shown(await bot_of(request).workflow(asked, wanted.capital), created=201)


async def position(request: web.Request) -> web.Response:
    bot = bot_of(request)
    pair = await bot.pairs.get(request.match_info["pair"])
    try:
        price = (await bot.data.quote(pair)).last
    except ApiError:
        price = None
    return web.json_response((await bot.positions.position(pair.name)).document(pair.name, price))


async def reconcile(request: web.Request) -> web.Response:
    """Now, and with balances; `pair` restricts those."""
    return web.json_response((await bot_of(request).reconciler.verify(request.query.get("pair"))).document())


async def halt(request: web.Request) -> web.Response:
    wanted = Halt.model_validate_json(await request.read())
    canceled, failed = await bot_of(request).halt(wanted.reason)
    return web.json_response({"canceled": [item.document() for item in canceled], "failed": failed})


async def resume(request: web.Request) -> web.Response:
    await bot_of(request).override.resume()
    return web.json_response({})


async def tighten(request: web.Request) -> web.Response:
    bot = bot_of(request)
    await bot.override.tighten(Tightening.model_validate_json(await request.read()))
    return web.json_response(_limits(bot))


async def lift(request: web.Request) -> web.Response:
    bot = bot_of(request)
    await bot.override.lift()
    return web.json_response(_limits(bot))


async def reset_breaker(request: web.Request) -> web.Response:
    bot_of(request).api.breaker.reset()
    return web.json_response({})


async def kill(request: web.Request) -> web.Response:
    """End this process by SIGKILL, now or at the named point."""
    crash, wanted = bot_of(request).crash, Kill.model_validate_json(await request.read() or b"{}")
    crash.arm(wanted.at)
    crash.reach(Point.NOW)
    return web.json_response({"armed": wanted.at})


def _limits(bot: TradingBot) -> Any:
    return bot.limits.model_dump(mode="json", include=set(Tightening.model_fields))


def _shown(item: Order, created: int) -> web.Response:
    return web.json_response(item.document(), status=HTTP_STATUS.get(item.status, created))
