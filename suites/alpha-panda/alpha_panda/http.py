"""HTTP: readiness, metrics, what is in force; and, of the feed, ticks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web
from aiokafka.errors import KafkaError
from pydantic import TypeAdapter, ValidationError

from alpha_panda.events.data import MarketTick
from alpha_panda.streaming.errors import TransientError

if TYPE_CHECKING:
    from alpha_panda.feed import Feed
    from alpha_panda.metrics import Metrics
    from alpha_panda.service import Service

_TICKS: TypeAdapter[list[MarketTick]] = TypeAdapter(list[MarketTick])


def application(service: Service, metrics: Metrics) -> web.Application:
    """`GET /healthz`, `/metrics`, `/configuration`, `/lag`; `POST /ticks` if it is the feed."""

    async def healthz(_: web.Request) -> web.Response:
        answers = await service.health()
        ready = all(answer == "ok" for answer in answers.values())
        return web.json_response({"ready": ready, **answers}, status=200 if ready else 503)

    async def exposition(_: web.Request) -> web.Response:
        return web.Response(body=metrics.exposition(), headers={"Content-Type": metrics.content_type})

    async def configuration(_: web.Request) -> web.Response:
        return web.json_response(service.source.current.summary())

    async def lag(_: web.Request) -> web.Response:
        try:
            return web.json_response(await service.lag())
        except KafkaError as error:
            return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=503)

    app = web.Application()
    app.add_routes(
        [
            web.get("/healthz", healthz),
            web.get("/metrics", exposition),
            web.get("/configuration", configuration),
            web.get("/lag", lag),
        ]
    )
    if service.feed is not None:
        _add_ticks(app, service.feed)
    return app


def _add_ticks(app: web.Application, feed: Feed) -> None:
    async def ticks(request: web.Request) -> web.Response:
        try:
            received = _TICKS.validate_json(await request.read())
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"])) or "body"
            return web.json_response({"error": f"{where}: {first['msg']}"}, status=400)
        try:
            events = await feed.publish(received)
        except (KafkaError, TransientError, RuntimeError) as error:
            return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=503)
        return web.json_response({"ids": [str(event.id) for event in events]}, status=202)

    app.add_routes([web.post("/ticks", ticks)])
