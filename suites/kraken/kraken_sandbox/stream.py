"""/v2: the WebSocket API. Public channels for everybody, `executions` for who has a token."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any, Final

from aiohttp import WSCloseCode, WSMsgType, web

from kraken_sandbox import channels
from kraken_sandbox.errors import ExchangeError
from kraken_sandbox.wire import dump, timestamp

if TYPE_CHECKING:
    from kraken_sandbox.exchange import Exchange
    from kraken_sandbox.market import Market
    from kraken_sandbox.orders import Order, Trade

HEARTBEAT_SECONDS: Final = 1.0
PUBLIC: Final = ("ticker", "trade", "book")
Message = dict[str, Any]


class Connection:
    """One WebSocket; messages leave it in the order in which they were put in."""

    def __init__(self) -> None:
        self.socket = web.WebSocketResponse()
        self.outbox: asyncio.Queue[str] = asyncio.Queue()
        self.subscribed: set[tuple[str, str]] = set()
        self.depth: dict[str, int] = {}
        self.books: dict[str, channels.Book] = {}
        self.sequence = 0

    def put(self, message: Message) -> None:
        self.outbox.put_nowait(dump(message))

    async def write(self) -> None:
        """Send what is there, and a heartbeat when there has been nothing for a second."""
        while not self.socket.closed:
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    text = await self.outbox.get()
            except TimeoutError:
                text = dump({"channel": "heartbeat"}) if self.subscribed else ""
            if text:
                await self.socket.send_str(text)


class Streams:
    """All connections; the engine's events come in here."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._connections: set[Connection] = set()
        self.corrupt: set[str] = set()
        self.refusing = False
        exchange.engine.on_event = self.order_changed
        exchange.engine.on_market = self.market_changed

    @property
    def count(self) -> int:
        return len(self._connections)

    async def drop(self) -> int:
        found = list(self._connections)
        for connection in found:
            await connection.socket.close(code=WSCloseCode.GOING_AWAY)
        return len(found)

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        if self.refusing:
            raise web.HTTPServiceUnavailable
        connection = Connection()
        await connection.socket.prepare(request)
        self._connections.add(connection)
        status = {"system": self._exchange.status, "api_version": "v2", "connection_id": id(connection), "version": "2"}
        connection.put({"channel": "status", "type": "update", "data": [status]})
        writing = asyncio.create_task(connection.write())
        try:
            async for message in connection.socket:
                if message.type is WSMsgType.TEXT:
                    self._command(connection, message.data)
        finally:
            self._connections.discard(connection)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
        return connection.socket

    def market_changed(self, market: Market, printed: Message | None) -> None:
        """Ticker and book of a market, and the trade if there was one."""
        symbol = market.instrument.symbol
        for connection in self._connections:
            if printed is not None and ("trade", symbol) in connection.subscribed:
                data = channels.printed(market, printed)
                connection.put({"channel": "trade", "type": "update", "data": [data]})
            if ("ticker", symbol) in connection.subscribed:
                connection.put({"channel": "ticker", "type": "update", "data": [channels.ticker(market)]})
            if ("book", symbol) in connection.subscribed:
                self._book_changed(connection, market)

    def order_changed(self, kind: str, order: Order, trade: Trade | None) -> None:
        report = channels.execution(kind, order, trade, time.time())
        for connection in self._connections:
            if ("executions", "") in connection.subscribed:
                self._report(connection, "update", [report])

    def _book_changed(self, connection: Connection, market: Market) -> None:
        symbol = market.instrument.symbol
        after = channels.book_of(market, connection.depth[symbol])
        if (update := channels.book_update(market, connection.books[symbol], after)) is None:
            return
        connection.books[symbol] = after
        if market.instrument.name in self.corrupt:
            self.corrupt.discard(market.instrument.name)
            update["checksum"] ^= 1
        update["timestamp"] = timestamp(time.time())
        connection.put({"channel": "book", "type": "update", "data": [update]})

    def _report(self, connection: Connection, kind: str, data: list[Message]) -> None:
        connection.sequence += 1
        connection.put({"channel": "executions", "type": kind, "data": data, "sequence": connection.sequence})

    def _command(self, connection: Connection, text: str) -> None:
        arrived = time.time()
        try:
            command = json.loads(text)
            method, params = str(command["method"]), command.get("params") or {}
        except (ValueError, KeyError, TypeError):
            connection.put({"error": "Malformed request", "success": False})
            return
        answer: Message = {"method": method, "time_in": timestamp(arrived)}
        if "req_id" in command:
            answer["req_id"] = command["req_id"]
        if method == "ping":
            connection.put(answer | {"method": "pong", "time_out": timestamp(time.time())})
        elif method not in {"subscribe", "unsubscribe"}:
            connection.put(answer | {"success": False, "error": f"Unsupported method {method}"})
        elif params.get("channel") == "executions":
            self._executions(connection, params, answer)
        else:
            for symbol in params.get("symbol") or [""]:
                self._subscribe(connection, method, params, symbol, dict(answer))

    def _executions(self, connection: Connection, params: Message, answer: Message) -> None:
        if not self._exchange.account.has_token(params.get("token")):
            connection.put(answer | {"success": False, "error": "EAPI:Invalid token"})
            return
        connection.subscribed.add(("executions", ""))
        connection.put(answer | {"success": True, "result": {"channel": "executions", "maxratecount": 180}})
        reports = [
            channels.execution("new", order, None, order.opened_at) for order in self._exchange.engine.open.values()
        ]
        self._report(connection, "snapshot", reports)

    def _subscribe(self, connection: Connection, method: str, params: Message, symbol: str, answer: Message) -> None:
        channel = params.get("channel")
        try:
            market = self._exchange.market(symbol)
        except ExchangeError:
            error = f"Currency pair not supported {symbol}"
            connection.put(answer | {"success": False, "error": error, "symbol": symbol})
            return
        if channel not in PUBLIC or symbol != market.instrument.symbol:
            connection.put(answer | {"success": False, "error": "Subscription is not supported", "symbol": symbol})
            return
        connection.put(answer | {"success": True, "result": {"channel": channel, "symbol": symbol, "snapshot": True}})
        if method == "unsubscribe":
            connection.subscribed.discard((channel, symbol))
            return
        connection.subscribed.add((channel, symbol))
        connection.put(
            {"channel": channel, "type": "snapshot", "data": [self._snapshot(connection, channel, params, market)]}
        )

    def _snapshot(self, connection: Connection, channel: str, params: Message, market: Market) -> Message:
        if channel == "ticker":
            return channels.ticker(market)
        if channel == "trade":
            return channels.printed(market, market.prints[-1])
        symbol = market.instrument.symbol
        connection.depth[symbol] = int(params.get("depth", 10))
        connection.books[symbol] = channels.book_of(market, connection.depth[symbol])
        return channels.book_snapshot(market, connection.books[symbol])
