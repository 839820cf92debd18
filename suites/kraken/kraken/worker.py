"""The process that trades: from settings to SIGTERM. Exit status 1: the database or the port cannot be had."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from typing import TYPE_CHECKING

from aiohttp import web
from pythonjsonlogger.json import JsonFormatter

from kraken.api import KrakenApi
from kraken.bot import TradingBot
from kraken.journal import Journal, UnreachableError
from kraken.metrics import Metrics
from kraken.routes import application

if TYPE_CHECKING:
    from kraken.settings import Settings

SHUTDOWN_SECONDS = 0.1
log = logging.getLogger(__name__)


class PortError(Exception):
    """The HTTP port cannot be had."""


def work(settings: Settings) -> None:
    _log_as_json(settings.log_level.upper())
    try:
        asyncio.run(_serve(settings))
    except (UnreachableError, PortError) as error:
        log.critical("giving up", extra={"error": str(error)})
        sys.exit(1)


async def _serve(settings: Settings) -> None:
    metrics = Metrics()
    url, seconds = settings.database_url.get_secret_value(), settings.connect_deadline_seconds
    journal = await Journal.open(url, seconds, settings.kraken_bug)
    async with KrakenApi(settings, metrics) as api:
        bot = TradingBot(settings, metrics, api, journal)
        runner = web.AppRunner(application(bot), access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
        await runner.setup()
        try:
            await web.TCPSite(runner, host="0.0.0.0", port=settings.http_port).start()  # noqa: S104 - probed from outside
        except OSError as error:
            await runner.cleanup()
            raise PortError(f"cannot listen on HTTP_PORT {settings.http_port}: {error.strerror}") from error
        log.info(
            "serving", extra={"port": settings.http_port, "api": settings.api_domain, "mode": settings.trading_mode}
        )
        running = asyncio.create_task(bot.run())
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, running.cancel)
        try:
            await running
        except asyncio.CancelledError:
            log.info("stopped")
        finally:
            await runner.cleanup()
            await journal.close()


def _log_as_json(level: str) -> None:
    handler = logging.StreamHandler(sys.stdout)
    renamed = {"levelname": "level"}
    handler.setFormatter(JsonFormatter("{levelname}{name}{message}", style="{", rename_fields=renamed, timestamp=True))
    logging.basicConfig(level=level, handlers=[handler])
