"""HTTP: orders in, receipts out, and how the service is."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final
from uuid import UUID

from aiohttp import web
from pydantic import ValidationError

from tbot.database import DatabaseService
from tbot.errors import UnavailableError
from tbot.order_service import OrderService
from tbot.orders import OrderRequest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tbot.container import DependencyContainer

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

BODY_BYTES: Final = 16_384
RETRY_AFTER: Final = {"Retry-After": "1"}
log = logging.getLogger(__name__)


def application(container: DependencyContainer) -> web.Application:
    """`POST /orders`, `GET /orders/{id}`, `GET /accounts/{account}/balances`, `GET /healthz`."""
    orders, database = container.get(OrderService), container.get(DatabaseService)

    async def place(request: web.Request) -> web.Response:
        try:
            wanted = OrderRequest.model_validate_json(await request.read())
        except ValidationError as error:
            problems = [
                {"field": ".".join(map(str, item["loc"])), "message": item["msg"]}
                for item in error.errors(include_url=False, include_input=False, include_context=False)
            ]
            return web.json_response({"errors": problems}, status=422)
        receipt = await orders.place(wanted)
        return web.json_response(text=receipt.model_dump_json(), status=200 if receipt.duplicate else 201)

    async def show(request: web.Request) -> web.Response:
        try:
            order_id = UUID(request.match_info["order_id"])
        except ValueError:
            return web.json_response({"errors": [{"field": "order_id", "message": "is no UUID"}]}, status=422)
        order = await database.order(order_id)
        if order is None:
            return web.json_response({"errors": [{"field": "order_id", "message": "is unknown"}]}, status=404)
        return web.json_response(text=order.model_dump_json())

    async def balances(request: web.Request) -> web.Response:
        found = await database.balances(request.match_info["account"])
        return web.json_response(
            {asset: {name: f"{amount:f}" for name, amount in entries.items()} for asset, entries in found.items()}
        )

    async def healthz(_: web.Request) -> web.Response:
        """Ready as long as orders can be taken, which needs PostgreSQL alone."""
        answers = await container.health()
        ready = answers["DatabaseService"] == "ok"
        degraded = any(answer != "ok" for answer in answers.values())
        return web.json_response(
            {"ready": ready, "degraded": degraded, "services": answers}, status=200 if ready else 503
        )

    app = web.Application(middlewares=[_unavailable], client_max_size=BODY_BYTES)
    app.add_routes(
        [
            web.post("/orders", place),
            web.get("/orders/{order_id}", show),
            web.get("/accounts/{account}/balances", balances),
            web.get("/healthz", healthz),
        ]
    )
    return app


@web.middleware
async def _unavailable(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What is out of reach may be back in a moment; the client can repeat its order without fear."""
    try:
        return await handler(request)
    except UnavailableError as error:
        log.warning("unavailable", extra={"path": request.path, "error": str(error)})
        return web.json_response({"errors": [{"field": "", "message": str(error)}]}, status=503, headers=RETRY_AFTER)
