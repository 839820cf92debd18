"""`python -m position_manager`: run until SIGTERM.

Exit status 1: Kafka, Redis or the port cannot be had, 2: wrong settings.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from typing import Final

from aiohttp import web
from pydantic import ValidationError
from pythonjsonlogger.json import JsonFormatter

from position_manager.http import application
from position_manager.metrics import Metrics
from position_manager.service import Service, UnreachableError
from position_manager.settings import Settings

# SIGTERM to exit stays below a second even if Kafka or Redis hang: what is cut off is read again at the next start.
BATCH_GRACE_SECONDS: Final = 0.4
log = logging.getLogger(__name__)


class PortError(Exception):
    """The HTTP port cannot be had."""


def main() -> None:
    try:
        settings = Settings()
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False):
            print(f"{'.'.join(map(str, problem['loc'])).upper() or 'settings'}: {problem['msg']}", file=sys.stderr)
        sys.exit(2)
    _log_as_json(settings.log_level.upper())
    if settings.position_manager_bug is not None:
        log.warning("a deliberate bug is switched on", extra={"bug": settings.position_manager_bug})
    try:
        asyncio.run(_serve(settings))
    except (UnreachableError, PortError) as error:
        log.critical("giving up", extra={"error": str(error)})
        sys.exit(1)


async def _serve(settings: Settings) -> None:
    metrics = Metrics()
    service = Service(settings, metrics)
    runner = web.AppRunner(application(service, metrics), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host="0.0.0.0", port=settings.http_port).start()  # noqa: S104 - probed from outside
    except OSError as error:
        await runner.cleanup()
        raise PortError(f"cannot listen on HTTP_PORT {settings.http_port}: {error.strerror}") from error
    log.info("serving", extra={"port": settings.http_port, "symbols": settings.symbols})
    loop = asyncio.get_running_loop()
    running = asyncio.create_task(service.run())

    def stop() -> None:
        log.info("stopping")
        service.stop()
        loop.call_later(BATCH_GRACE_SECONDS, running.cancel)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        await running
    except asyncio.CancelledError:
        log.warning("stopped in the middle of a batch; it is read again at the next start")
    finally:
        await runner.cleanup()
    log.info("stopped")


def _log_as_json(level: str) -> None:
    handler = logging.StreamHandler(sys.stdout)
    renamed = {"levelname": "level"}
    handler.setFormatter(JsonFormatter("{levelname}{name}{message}", style="{", rename_fields=renamed, timestamp=True))
    logging.basicConfig(level=level, handlers=[handler])
    logging.getLogger("aiokafka").setLevel(max(logging.WARNING, logging.getLogger().level))


if __name__ == "__main__":
    main()
