"""What requests say of themselves, and what the API server's answers mean."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio import client

from seatrial.errors import (
    AlreadyExistsError,
    ClusterError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnavailableError,
)
from seatrial.kube.paths import collection_of, resource_of
from seatrial.kube.requests import MAX_RETRY_AFTER_SECONDS, Requests, error_of, retry_after

if TYPE_CHECKING:
    from typing import Any


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        ("/api/v1/namespaces", "namespaces"),
        ("/api/v1/namespaces/a", "namespaces"),
        ("/api/v1/namespaces/a/pods", "pods"),
        ("/api/v1/namespaces/a/pods/b/log", "pods/log"),
        ("/apis/batch/v1/namespaces/a/jobs/b", "jobs"),
        ("/apis/seatrial.dev/v1alpha1/testruns", "testruns"),
        ("/apis/seatrial.dev/v1alpha1/namespaces/a/testruns/b/status", "testruns/status"),
    ],
)
def test_the_resource_of_a_path(path: str, resource: str) -> None:
    assert resource_of(path) == resource


def test_the_collection_of_an_object() -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "a", "name": "b"}}
    assert collection_of(pod) == "/api/v1/namespaces/a/pods"
    assert collection_of({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}) == "/api/v1/namespaces"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0.0),
        ("", 0.0),
        ("3", 3.0),
        ("0.5", 0.5),
        ("-1", 0.0),
        ("nan", 0.0),
        ("inf", MAX_RETRY_AFTER_SECONDS),
        ("86400", MAX_RETRY_AFTER_SECONDS),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 0.0),
    ],
)
def test_how_long_a_server_asks_to_wait(header: str | None, seconds: float) -> None:
    assert retry_after(header) == seconds


def _status(reason: str, **more: Any) -> str:
    return json.dumps({"kind": "Status", "message": "no", "reason": reason, **more})


@pytest.mark.parametrize(
    ("status", "body", "kind", "reason"),
    [
        (400, _status("BadRequest"), InvalidError, "BadRequest"),
        (401, _status("Unauthorized"), ClusterError, "Unauthorized"),
        (403, _status("Forbidden"), ForbiddenError, "Forbidden"),
        (
            403,
            _status("Forbidden", details={"causes": [{"reason": "NamespaceTerminating"}]}),
            ForbiddenError,
            "NamespaceTerminating",
        ),
        (404, _status("NotFound"), NotFoundError, "NotFound"),
        (408, "", UnavailableError, ""),
        (409, _status("AlreadyExists"), AlreadyExistsError, "AlreadyExists"),
        (409, _status("Conflict"), ConflictError, "Conflict"),
        (409, "a proxy's own words", ConflictError, ""),
        (410, _status("Expired"), ClusterError, "Expired"),
        (422, _status("Invalid"), InvalidError, "Invalid"),
        (429, "", UnavailableError, ""),
        (500, "<html>", UnavailableError, ""),
        (503, "[]", UnavailableError, ""),
    ],
)
def test_what_an_answer_means(status: int, body: str, kind: type[ClusterError], reason: str) -> None:
    error = error_of(status, body, "PATCH /x")
    assert (type(error), error.reason) == (kind, reason)
    assert str(error).startswith("PATCH /x: ")


async def test_a_log_that_is_refused_for_now_is_not_asked_for_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever follows it repeats the request when the error comes: not before the server wishes it."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "7"})

    app = web.Application()
    app.router.add_get("/api/v1/namespaces/a/pods/b/log", refuse)
    async with TestServer(app) as server:
        requests = Requests(client.Configuration(host=str(server.make_url("")).rstrip("/")), 1)
        monkeypatch.setattr("seatrial.kube.requests.asyncio.sleep", sleep)
        try:
            with pytest.raises(UnavailableError):
                async for _ in requests.read_lines("/api/v1/namespaces/a/pods/b/log", [], "log of a pod"):
                    pass
        finally:
            monkeypatch.undo()
            await requests.close()
    assert waited == [7.0]
