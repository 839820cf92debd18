"""A WebSocket v2 connection that is always made again."""

from __future__ import annotations

import asyncio
import json
import logging
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from kraken.retry import backoff

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kraken.metrics import Metrics
    from kraken.settings import Settings

SILENCE_SECONDS: Final = 10.0
"""The exchange sends a heartbeat every second to who has subscribed, and answers pings."""
Message = dict[str, Any]
log = logging.getLogger(__name__)


class Stream:
    """`subscribe` is called after each connection and gives what to send; `receive` gets every message with data.

    `opened` is called when the first subscription of a connection is confirmed: before that, reports may be missed.
    """

    def __init__(
        self,
        name: str,
        url: str,
        settings: Settings,
        metrics: Metrics,
        *,
        subscribe: Callable[[], Awaitable[list[Message]]],
        receive: Callable[[Message], Awaitable[None]],
        opened: Callable[[], None] = lambda: None,
        lost: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self._url = url
        self._settings = settings
        self._metrics = metrics
        self._subscribe = subscribe
        self._receive = receive
        self._opened = opened
        self._lost = lost
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self.connections = 0
        self.subscribed = asyncio.Event()

    async def send(self, message: Message) -> None:
        """Nothing is sent while there is no connection: what matters is subscribed to when there is."""
        if self._socket is not None and not self._socket.closed:
            await self._socket.send_str(json.dumps(message))

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Until cancelled."""
        failures = 0
        while True:
            try:
                await self._connection(session)
                failures = 0
            except Exception as error:  # noqa: BLE001  (one message that cannot be read ends a connection, no more)
                failures += 1
                self._metrics.errors.labels(self.name).inc()
                log.warning("stream failed", extra={"stream": self.name, "error": f"{type(error).__name__}: {error}"})
            finally:
                self._socket = None
                self.subscribed.clear()
                self._lost()
            pause = backoff(failures + 1, self._settings.backoff_base_seconds, self._settings.backoff_max_seconds)
            await asyncio.sleep(pause if failures else self._settings.backoff_base_seconds / 10)

    async def _connection(self, session: aiohttp.ClientSession) -> None:
        timeout = aiohttp.ClientWSTimeout(ws_receive=SILENCE_SECONDS, ws_close=1)
        async with session.ws_connect(self._url, timeout=timeout, heartbeat=SILENCE_SECONDS) as socket:
            self._socket = socket
            self.connections += 1
            for message in await self._subscribe():
                await self.send(message)
            async for frame in socket:
                if frame.type is not aiohttp.WSMsgType.TEXT:
                    continue
                message = json.loads(frame.data, parse_float=Decimal)
                if message.get("success") is False:
                    log.warning("subscription refused", extra={"stream": self.name, "error": message.get("error")})
                    self._metrics.errors.labels(self.name).inc()
                elif "data" in message:
                    await self._receive(message)
                confirmed = message.get("success") or message.get("channel") == "executions"
                if confirmed and not self.subscribed.is_set():
                    self._opened()
                    self.subscribed.set()
