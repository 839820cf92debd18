"""HTTP: readiness, metrics and, for tests, the kill switch."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from aiohttp import web

from intelligence_service.faults import KillSwitch, Point

if TYPE_CHECKING:
    from intelligence_service.metrics import Metrics
    from intelligence_service.service import Service

log = logging.getLogger(__name__)


def application(service: Service, metrics: Metrics, switch: KillSwitch | None) -> web.Application:
    """`GET /healthz`, `GET /metrics`; with a kill switch `POST /admin/kill`, whose body is `{"at": POINT}`."""

    async def healthz(_: web.Request) -> web.Response:
        answer = await service.health()
        ready = answer == "ok"
        body = {"ready": ready, "kafka": answer, "worker": os.getpid()}
        if switch is not None:
            body["last_kill"] = switch.last
        return web.json_response(body, status=200 if ready else 503)

    async def exposition(_: web.Request) -> web.Response:
        return web.Response(body=metrics.exposition(), headers={"Content-Type": metrics.content_type})

    async def kill(request: web.Request) -> web.Response:
        try:
            point = Point((await request.json())["at"])
        except (ValueError, KeyError, TypeError):
            expected = ", ".join(Point)
            return web.json_response({"error": f'expected {{"at": POINT}}, POINT one of {expected}'}, status=400)
        log.warning("kill requested", extra={"at": point})
        if switch is not None:
            switch.arm(point)
        return web.json_response({"armed": point, "worker": os.getpid()})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/metrics", exposition)])
    if switch is not None:
        app.add_routes([web.post("/admin/kill", kill)])
    return app
