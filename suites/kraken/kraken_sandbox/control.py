"""/sandbox: what tests use to bring the exchange into a state, and to see what was asked of it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kraken_sandbox.errors import ExchangeError
from kraken_sandbox.faults import FaultRule
from kraken_sandbox.instrument import Instrument
from kraken_sandbox.market import Market

if TYPE_CHECKING:
    from kraken_sandbox.exchange import Exchange
    from kraken_sandbox.stream import Streams

M = TypeVar("M", bound=BaseModel)
Positive = Annotated[Decimal, Field(gt=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewMarket(_Strict):
    """A pair BASE/EUR. `fund`: what the account gets of the base asset. `depth`: volume at each price level."""

    base: str = Field(pattern=r"^[A-Z0-9]{3,12}$")
    price: Positive
    depth: Positive = Decimal(5)
    fund: Decimal = Decimal(0)


class Levels(_Strict):
    """What others offer from now on: [price, volume], the best first."""

    asks: list[tuple[Positive, Positive]]
    bids: list[tuple[Positive, Positive]]


class Move(_Strict):
    """The price that others trade at from now on."""

    price: Positive


class Aggression(_Strict):
    """Somebody else's order, which takes what is there."""

    side: Literal["buy", "sell"]
    price: Positive
    volume: Positive


class Counters(_Strict):
    """The account's call counter and its decay a second; None leaves it."""

    value: float | None = Field(None, ge=0)
    maximum: float | None = Field(None, gt=0)
    decay: float | None = Field(None, ge=0)


class SystemState(_Strict):
    """What SystemStatus says."""

    status: Literal["online", "cancel_only", "maintenance", "post_only"]


class StreamFault(_Strict):
    """`drop` closes every WebSocket, `refuse` closes them and takes no more until faults are cleared; `corrupt` sends
    the pair's next book update with a wrong checksum.
    """

    kind: Literal["drop", "refuse", "corrupt"]
    pair: str = ""


class Control:
    """Handlers for aiohttp."""

    def __init__(self, exchange: Exchange, streams: Streams) -> None:
        self._exchange = exchange
        self._streams = streams
        limits = exchange.account.calls
        self._counters = (limits.maximum, limits.decay)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/healthz", self.health),
            web.post("/sandbox/markets", self.new_market),
            web.post("/sandbox/markets/{pair}/levels", self.levels),
            web.post("/sandbox/markets/{pair}/move", self.move),
            web.post("/sandbox/markets/{pair}/trade", self.aggress),
            web.post("/sandbox/faults", self.fault),
            web.post("/sandbox/streams", self.stream_fault),
            web.post("/sandbox/counters", self.counters),
            web.post("/sandbox/status", self.system_state),
            web.delete("/sandbox/faults", self.clear),
            web.get("/sandbox/requests", self.requests),
            web.get("/sandbox/account", self.account),
        ]

    async def health(self, _request: web.Request) -> web.Response:
        return web.json_response({"ready": True})

    async def new_market(self, request: web.Request) -> web.Response:
        wanted = await _body(request, NewMarket)
        name = f"{wanted.base}EUR"
        pair = Instrument(name, name, wanted.base, "ZEUR", f"{wanted.base}/EUR")
        self._exchange.list_market(Market(pair, wanted.price, pair.lot(wanted.depth)))
        self._exchange.account.balances[wanted.base] += wanted.fund
        return web.json_response({"pair": name, "symbol": pair.symbol, "base": pair.base})

    async def levels(self, request: web.Request) -> web.Response:
        market, wanted = self._market(request), await _body(request, Levels)
        pair = market.instrument
        market.asks = {pair.price(price): pair.lot(volume) for price, volume in wanted.asks}
        market.bids = {pair.price(price): pair.lot(volume) for price, volume in wanted.bids}
        self._exchange.engine.rest_crossing(market)
        self._streams.market_changed(market, None)
        return web.json_response({})

    async def move(self, request: web.Request) -> web.Response:
        self._exchange.engine.move(self._market(request), (await _body(request, Move)).price)
        return web.json_response({})

    async def aggress(self, request: web.Request) -> web.Response:
        wanted = await _body(request, Aggression)
        self._exchange.engine.aggress(self._market(request), wanted.side, wanted.price, wanted.volume)
        return web.json_response({})

    async def fault(self, request: web.Request) -> web.Response:
        self._exchange.faults.add(await _body(request, FaultRule))
        return web.json_response({})

    async def stream_fault(self, request: web.Request) -> web.Response:
        wanted = await _body(request, StreamFault)
        if wanted.kind in {"drop", "refuse"}:
            self._streams.refusing = wanted.kind == "refuse"
            return web.json_response({"dropped": await self._streams.drop()})
        self._streams.corrupt.add(self._exchange.market(wanted.pair).instrument.name)
        return web.json_response({})

    async def counters(self, request: web.Request) -> web.Response:
        wanted, calls = await _body(request, Counters), self._exchange.account.calls
        calls.set(calls.value if wanted.value is None else wanted.value)
        calls.maximum = wanted.maximum or calls.maximum
        calls.decay = calls.decay if wanted.decay is None else wanted.decay
        return web.json_response({"value": calls.value, "maximum": calls.maximum, "decay": calls.decay})

    async def system_state(self, request: web.Request) -> web.Response:
        self._exchange.status = (await _body(request, SystemState)).status
        return web.json_response({})

    async def clear(self, _request: web.Request) -> web.Response:
        """No fault is left: rules, stream faults, counters, system status."""
        self._exchange.faults.clear()
        self._exchange.status = "online"
        self._streams.corrupt.clear()
        self._streams.refusing = False
        calls = self._exchange.account.calls
        calls.maximum, calls.decay = self._counters
        calls.set(0)
        return web.json_response({})

    async def requests(self, request: web.Request) -> web.Response:
        """What was asked after a number, oldest first; `pair` keeps those that name it."""
        after, pair = int(request.query.get("after", 0)), request.query.get("pair")
        found = [entry for entry in self._exchange.requests if entry["number"] > after]
        if pair:
            found = [entry for entry in found if entry["params"].get("pair") == pair]
        return web.json_response({"requests": found, "last": self._exchange.served})

    async def account(self, request: web.Request) -> web.Response:
        """The exchange's own books, to compare with; orders and trades are those of `pair`."""
        engine, pair = self._exchange.engine, request.query.get("pair")
        shown: dict[str, Any] = {
            "balances": {asset: f"{amount:f}" for asset, amount in self._exchange.account.balances.items()},
            "orders": {
                order.txid: order.document(with_trades=True)
                for order in engine.orders.values()
                if order.instrument.name == pair
            },
            "trades": {
                trade.trade_id: trade.document()
                for trade in engine.trades.values()
                if trade.order.instrument.name == pair
            },
            "streams": self._streams.count,
        }
        return web.json_response(shown)

    def _market(self, request: web.Request) -> Market:
        try:
            return self._exchange.market(request.match_info["pair"])
        except ExchangeError as error:
            raise web.HTTPNotFound(text=error.code) from None


async def _body(request: web.Request, model: type[M]) -> M:
    try:
        return model.model_validate_json(await request.read())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise web.HTTPBadRequest(text=f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
