"""The checks that speak HTTP, against real HTTP servers that are not what they should be."""

from __future__ import annotations

import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from seatrial.agent.environment.checks.influxdb import InfluxDBCheck
from seatrial.agent.environment.checks.schema_registry import check_registry
from seatrial.agent.environment.input import Service
from seatrial.agent.environment.outcomes import NotReadyError, RefusedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping


@asynccontextmanager
async def server(answers: Mapping[str, tuple[int, str]]) -> AsyncIterator[str]:
    """Answers "METHOD /path" with what is given, all else with 404; its URL."""

    async def handler(request: web.Request) -> web.Response:
        status, text = answers.get(f"{request.method} {request.path}", (404, "no such path"))
        return web.Response(status=status, text=text)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    listening = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listening).start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        await runner.cleanup()


def influxdb(url: str) -> InfluxDBCheck:
    variables = {"URL": url, "ORG": "org", "BUCKET": "bucket", "TOKEN": "t0ken", "PASSWORD": "passw0rd"}
    return InfluxDBCheck(
        Service("influxdb", "influxdb"), {f"INFLUXDB_{name}": value for name, value in variables.items()}
    )


async def test_a_schema_registry_is_ready_when_it_lists_its_subjects() -> None:
    async with server({"GET /subjects": (200, "[]")}) as url:
        await check_registry(url)
        await check_registry(url + "/")


async def test_a_schema_registry_that_is_not_ready() -> None:
    async with server({"GET /subjects": (500, '{"error_code": 50003}')}) as url:
        with pytest.raises(NotReadyError, match=r'GET /subjects with HTTP 500: \{"error_code": 50003\}'):
            await check_registry(url)
    with pytest.raises(NotReadyError, match="refuses connections"):
        await check_registry(url)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((503, "starting"), "answered GET /api/v2/setup with HTTP 503: starting"),
        ((200, "<html>"), "HTTP 200 with a body that is not JSON: <html>"),
    ],
)
async def test_influxdb_is_not_ready(answer: tuple[int, str], message: str) -> None:
    async with server({"GET /api/v2/setup": answer}) as url:
        with pytest.raises(NotReadyError, match=message):
            await influxdb(url).attempt()


async def test_influxdb_refuses_its_set_up() -> None:
    answers = {
        "GET /api/v2/setup": (200, '{"allowed": true}'),
        "POST /api/v2/setup": (400, '{"message": "passwords must be longer"}'),
    }
    async with server(answers) as url:
        check = influxdb(url)
        await check.attempt()
        with pytest.raises(
            RefusedError, match=r"POST /api/v2/setup with HTTP 400 instead of 201: .*passwords must be longer"
        ):
            await check.seed()


async def test_an_error_of_the_server_is_tried_again() -> None:
    answers = {
        "GET /api/v2/setup": (200, '{"allowed": false}'),
        "GET /api/v2/buckets": (500, "engine is closed"),
    }
    async with server(answers) as url:
        check = influxdb(url)
        await check.attempt()
        with pytest.raises(NotReadyError, match="HTTP 500 instead of 200: engine is closed"):
            await check.seed()
