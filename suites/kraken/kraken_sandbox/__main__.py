"""`python -m kraken_sandbox`: serve until SIGTERM. Exit status 1: the port cannot be had, 2: wrong settings."""

from __future__ import annotations

import base64
import binascii
import logging
import sys

from aiohttp import web
from pydantic import ValidationError

from kraken_sandbox.control import Control
from kraken_sandbox.exchange import Exchange
from kraken_sandbox.rest import RestApi
from kraken_sandbox.settings import Settings
from kraken_sandbox.stream import Streams

SHUTDOWN_SECONDS = 0.1


def main() -> None:
    try:
        settings = Settings()
        base64.b64decode(settings.kraken_api_secret.get_secret_value(), validate=True)
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False):
            print(f"{'.'.join(map(str, problem['loc'])).upper() or 'settings'}: {problem['msg']}", file=sys.stderr)
        sys.exit(2)
    except binascii.Error as error:
        print(f"KRAKEN_API_SECRET: is not base64: {error}", file=sys.stderr)
        sys.exit(2)
    logging.basicConfig(level=settings.log_level, stream=sys.stdout)
    try:
        web.run_app(
            application(settings),
            port=settings.http_port,
            access_log=None,
            shutdown_timeout=SHUTDOWN_SECONDS,
            print=lambda _: None,
        )
    except OSError as error:
        print(f"cannot listen on HTTP_PORT {settings.http_port}: {error.strerror}", file=sys.stderr)
        sys.exit(1)


def application(settings: Settings) -> web.Application:
    exchange = Exchange(settings)
    streams = Streams(exchange)

    async def close_streams(_app: web.Application) -> None:
        exchange.faults.clear()
        await streams.drop()

    application = web.Application()
    application.add_routes(RestApi(exchange).routes())
    application.add_routes(Control(exchange, streams).routes())
    application.add_routes([web.get("/v2", streams.handle)])
    application.on_shutdown.append(close_streams)
    return application


if __name__ == "__main__":
    main()
