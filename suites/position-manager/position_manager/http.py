"""HTTP: readiness, metrics and the one administrative action."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from aiohttp import web

if TYPE_CHECKING:
    from position_manager.metrics import Metrics
    from position_manager.service import Service

RESTART_SECONDS: Final = 30
log = logging.getLogger(__name__)


def application(service: Service, metrics: Metrics) -> web.Application:
    """`GET /healthz`, `GET /metrics`, `POST /admin/restart`."""

    async def healthz(_: web.Request) -> web.Response:
        answers = await service.health()
        ready = all(answer == "ok" for answer in answers.values())
        return web.json_response({"ready": ready, **answers}, status=200 if ready else 503)

    async def exposition(_: web.Request) -> web.Response:
        return web.Response(body=metrics.exposition(), headers={"Content-Type": metrics.content_type})

    async def restart(_: web.Request) -> web.Response:
        log.info("restart requested")
        try:
            async with asyncio.timeout(RESTART_SECONDS):
                await service.restart()
        except TimeoutError:
            return web.json_response({"error": f"not consuming again after {RESTART_SECONDS} s"}, status=503)
        return web.json_response({"restarted": True})

    app = web.Application()
    app.add_routes(
        [web.get("/healthz", healthz), web.get("/metrics", exposition), web.post("/admin/restart", restart)],
    )
    return app
