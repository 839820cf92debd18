"""`python -m tbot`: run until SIGTERM.

Exit status 1: PostgreSQL or the port cannot be had, 2: wrong settings.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
from typing import TYPE_CHECKING, Final

from aiohttp import web
from pydantic import ValidationError
from pythonjsonlogger.json import JsonFormatter

from tbot.errors import UnavailableError
from tbot.factory import create_container
from tbot.http import application
from tbot.settings import Settings

if TYPE_CHECKING:
    from tbot.container import DependencyContainer

# Requests under way are answered; who keeps a connection open without asking anything is not waited for.
REQUEST_GRACE_SECONDS: Final = 0.2
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
    try:
        asyncio.run(_run(settings))
    except (UnavailableError, PortError) as error:
        log.critical("giving up", extra={"error": str(error)})
        sys.exit(1)
    finally:
        gc.freeze()  # at its end the interpreter would look through all modules' objects: 0.1 to 0.5 s for nothing


async def _run(settings: Settings) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    starting = asyncio.create_task(create_container(settings))
    stopping = asyncio.create_task(stopped.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        return
    container = await starting
    try:
        await _serve(container, settings, stopping)
    finally:
        stopping.cancel()
        await container.close()
    log.info("stopped")


async def _serve(container: DependencyContainer, settings: Settings, stopping: asyncio.Task[bool]) -> None:
    runner = web.AppRunner(application(container), access_log=None, shutdown_timeout=REQUEST_GRACE_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, host="0.0.0.0", port=settings.http_port).start()  # noqa: S104 - probed from outside
        port = runner.addresses[0][1]
        log.info("serving", extra={"port": port, "schema": settings.database_schema, "bug": settings.tbot_bug})
        await stopping
        log.info("stopping")
    except OSError as error:
        raise PortError(f"cannot listen on HTTP_PORT {settings.http_port}: {error.strerror}") from error
    finally:
        await runner.cleanup()


def _log_as_json(level: str) -> None:
    handler = logging.StreamHandler(sys.stdout)
    renamed = {"levelname": "level"}
    handler.setFormatter(JsonFormatter("{levelname}{name}{message}", style="{", rename_fields=renamed, timestamp=True))
    logging.basicConfig(level=level, handlers=[handler])


if __name__ == "__main__":
    main()
