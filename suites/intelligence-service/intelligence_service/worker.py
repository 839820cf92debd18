"""`python -m intelligence_service.worker`: answers until SIGTERM, or until its standard input ends.

Exit status 1: Kafka or the port cannot be had, 2: wrong settings.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import stat
import sys
from typing import Final

from aiohttp import web
from pydantic import ValidationError
from pythonjsonlogger.json import JsonFormatter

from intelligence_service.faults import KillSwitch
from intelligence_service.http import application
from intelligence_service.metrics import Metrics
from intelligence_service.service import Service, UnreachableError
from intelligence_service.settings import Settings

BATCH_GRACE_SECONDS: Final = 0.4
"""SIGTERM to exit stays below a second even if Kafka hangs: what is cut off is read again at the next start."""
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
    _log_as_json(settings.log_level)
    try:
        asyncio.run(_serve(settings))
    except (UnreachableError, PortError) as error:
        log.critical("giving up", extra={"error": str(error)})
        sys.exit(1)


async def _serve(settings: Settings) -> None:
    metrics, switch = Metrics(), KillSwitch(settings.kill_memory)
    service = Service(settings, metrics, switch)
    app = application(service, metrics, switch if settings.intelligence_faults else None)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host="0.0.0.0", port=settings.http_port).start()  # noqa: S104 - probed from outside
    except OSError as error:
        await runner.cleanup()
        raise PortError(f"cannot listen on HTTP_PORT {settings.http_port}: {error.strerror}") from error
    log.info("serving", extra={"port": settings.http_port, "bug": settings.intelligence_bug})
    running = asyncio.create_task(service.run())
    _stop_with(service, running)
    try:
        await running
    except asyncio.CancelledError:
        log.warning("stopped in the middle of a batch; it is read again at the next start")
    finally:
        await runner.cleanup()
    log.info("stopped")


def _stop_with(service: Service, running: asyncio.Task[None]) -> None:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        log.info("stopping")
        service.stop()
        loop.call_later(BATCH_GRACE_SECONDS, running.cancel)

    def read() -> None:
        if not os.read(sys.stdin.fileno(), 1024):  # whoever has started this is gone
            loop.remove_reader(sys.stdin)
            stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    if sys.stdin is not None and stat.S_ISFIFO(os.fstat(sys.stdin.fileno()).st_mode):
        loop.add_reader(sys.stdin, read)


def _log_as_json(level: str) -> None:
    handler = logging.StreamHandler(sys.stdout)
    renamed = {"levelname": "level"}
    handler.setFormatter(JsonFormatter("{levelname}{name}{message}", style="{", rename_fields=renamed, timestamp=True))
    logging.basicConfig(level=level, handlers=[handler])
    logging.getLogger("aiokafka").setLevel(max(logging.WARNING, logging.getLogger().level))


if __name__ == "__main__":
    main()
