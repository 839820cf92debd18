"""The proxy and its faults, with a server in the place of the API server. Needs no cluster."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web

from .api import Api
from .call import CUT, parse_call
from .fault import Fault, refusal
from .proxy import Proxy
from .request_faults import After, Delay, Instead, Refuse, Silence, Sometimes, writes
from .stale import Past
from .watches import Cut, Freeze, Miss, Pause, Reorder, Repeat

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

RUNS = "/apis/seatrial.dev/v1alpha1/namespaces/team/testruns"


@pytest.mark.parametrize(
    ("method", "path", "query", "expected"),
    [
        ("GET", RUNS, "", "list testruns team"),
        ("GET", RUNS, "watch=true", "watch testruns team"),
        ("GET", f"{RUNS}/a", "", "get testruns team/a"),
        ("PATCH", f"{RUNS}/a/status", "", "patch testruns/status team/a"),
        ("POST", "/api/v1/namespaces", "", "create namespaces"),
        ("DELETE", "/api/v1/namespaces/a", "", "delete namespaces a"),
        ("GET", "/api/v1/namespaces/a", "", "get namespaces a"),
        ("PUT", "/api/v1/namespaces/a/finalize", "", "update namespaces/finalize a"),
        ("DELETE", "/api/v1/namespaces/a/pods", "", "deletecollection pods a"),
        ("GET", "/api/v1/namespaces/a/pods/p/log", "follow=true", "get pods/log a/p"),
        ("GET", "/api/v1/pods", "watch=1", "watch pods"),
        ("GET", "/version", "", "get /version"),
    ],
)
def test_call(method: str, path: str, query: str, expected: str) -> None:
    members = dict(part.split("=") for part in query.split("&") if part)
    call = parse_call(method, path, members)
    assert str(call) == expected
    assert call.is_write == (method != "GET")
    assert call.streaming == bool(query)


class Server:
    """Counts what reaches it, and watches what it is told."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.queries: list[dict[str, str]] = []
        self.events: list[bytes] = []
        """Each watch gets them all."""
        self._changed = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(f"{request.method} {request.path}")
        self.queries.append(dict(request.query))
        if request.query.get("watch") != "true":
            return web.json_response({"kind": "Status"}, status=201 if request.method == "POST" else 200)
        response = web.StreamResponse()
        await response.prepare(request)
        sent = 0
        while True:
            for line in self.events[sent:]:
                await response.write(line)
                sent += 1
            await self._changed.wait()

    def tell(self, name: str, kind: str = "MODIFIED", **more: Any) -> None:
        item = {"kind": "Pod", "metadata": {"name": name, "namespace": "a"}, **more}
        self.events.append(json.dumps({"type": kind, "object": item}).encode() + b"\n")
        self._changed.set()
        self._changed = asyncio.Event()


class Bench:
    def __init__(self, server: Server, proxy: Proxy, client: aiohttp.ClientSession) -> None:
        self.server, self.proxy, self.client = server, proxy, client

    async def send(self, method: str = "POST", path: str = RUNS) -> int:
        """A request through the proxy; its status, or -1 when the connection was cut."""
        try:
            async with self.client.request(method, self.proxy.url + path) as response:
                await response.read()
                return response.status
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError):
            return CUT

    async def watch(self, number: int) -> list[str]:
        """The first events of a watch: type and name."""
        seen: list[str] = []
        async with self.client.get(f"{self.proxy.url}/api/v1/pods", params={"watch": "true"}) as response:
            async for line in response.content:
                event = json.loads(line)
                name = event["object"].get("metadata", {}).get("name", event["object"].get("code"))
                seen.append(f"{event['type']} {name} {event['object'].get('at', '')}".strip())
                if len(seen) == number:
                    break
        return seen


@contextlib.asynccontextmanager
async def bench(*faults: Fault) -> AsyncIterator[Bench]:
    server = Server()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with (
        Api(aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}")) as api,
        Proxy(api) as proxy,
        aiohttp.ClientSession() as client,
    ):
        proxy.reset(*faults)
        async with asyncio.timeout(20):
            yield Bench(server, proxy, client)
    await runner.cleanup()


async def test_passes_on_and_records() -> None:
    async with bench() as it:
        assert [await it.send(), await it.send("GET"), await it.send("DELETE", f"{RUNS}/a")] == [201, 200, 200]
        assert [str(record) for record in it.proxy.records] == [
            "1: create testruns team -> 201",
            "-: list testruns team -> 200",
            "2: delete testruns team/a -> 200",
        ]


async def test_the_reply_to_a_write_is_lost_and_the_write_is_made() -> None:
    fault = After(2)
    async with bench(fault) as it:
        assert [await it.send(), await it.send(), await it.send()] == [201, CUT, 201]
        assert len(it.server.seen) == 3
        assert fault.record is not None
        assert fault.record.number == 2


async def test_what_a_dead_client_has_sent_is_not_passed_on() -> None:
    async with bench() as it:
        it.proxy.reset(After(1, it.proxy.forget_client), Delay(0.2, seed=1))
        answers = await asyncio.gather(*(it.send() for _ in range(5)))
        assert answers == [CUT] * 5
        assert len(it.server.seen) == 1
        assert await it.send() == 201


async def test_answers_in_the_place_of_the_server() -> None:
    fault = Instead(2, refusal(429, retry_after=7), times=2)
    async with bench(fault) as it:
        assert [await it.send() for _ in range(4)] == [201, 429, 429, 201]
        assert len(it.server.seen) == 2
        async with it.client.get(it.proxy.url + RUNS):
            pass
        assert [record.by_fault for record in it.proxy.writes] == [False, True, True, False]


async def test_a_share_of_the_requests_fails_by_a_seed() -> None:
    async def statuses(seed: int) -> list[int]:
        async with bench(Sometimes(0.5, [refusal(500), refusal(503)], seed, writes)) as it:
            assert await it.send("GET") == 200
            return [await it.send() for _ in range(12)]

    first = await statuses(1)
    assert first == await statuses(1)
    assert set(first) == {201, 500, 503}


async def test_everything_fails_for_a_while() -> None:
    fault = Refuse(refusal(503))
    async with bench(fault) as it:
        assert await it.send("GET") == 503
        fault.on = False
        assert await it.send("GET") == 200


async def test_silence_ends_without_an_answer_and_nothing_was_done() -> None:
    fault = Silence()
    async with bench(fault) as it:
        fault.begin()
        asked = asyncio.create_task(it.send())
        await it.proxy.changed()
        assert not asked.done()
        fault.end()
        assert await asked == CUT
        assert it.server.seen == []
        assert await it.send() == 201


async def test_a_watch_is_passed_on_as_it_comes() -> None:
    async with bench() as it:
        it.server.tell("a", "ADDED")
        it.server.tell("b", "DELETED")
        assert await it.watch(2) == ["ADDED a", "DELETED b"]


async def test_events_come_twice() -> None:
    async with bench(Repeat()) as it:
        it.server.tell("a")
        it.server.tell("b")
        assert await it.watch(4) == ["MODIFIED a", "MODIFIED a", "MODIFIED b", "MODIFIED b"]


async def test_neighbours_change_places_and_changes_of_one_object_do_not() -> None:
    async with bench(Reorder()) as it:
        for name, at in (("a", 1), ("b", 1), ("c", 1), ("c", 2), ("d", 1)):
            it.server.tell(name, at=at)
        assert await it.watch(5) == ["MODIFIED b 1", "MODIFIED a 1", "MODIFIED c 1", "MODIFIED d 1", "MODIFIED c 2"]


async def test_every_second_change_is_missed_but_for_the_last() -> None:
    async with bench(Miss()) as it:
        it.server.tell("a", "ADDED", at=0)
        for at in range(1, 6):
            it.server.tell("a", at=at)
        assert await it.watch(4) == ["ADDED a 0", "MODIFIED a 2", "MODIFIED a 4", "MODIFIED a 5"]


async def test_a_watch_is_cut_and_says_that_its_version_is_gone() -> None:
    async with bench(Cut(after=2, gone=True)) as it:
        for name in "abc":
            it.server.tell(name)
        assert await it.watch(9) == ["MODIFIED a", "MODIFIED b", "ERROR 410"]


async def test_watches_wait_and_then_tell_everything() -> None:
    fault = Pause()
    async with bench(fault) as it:
        fault.begin()
        it.server.tell("a")
        seen = asyncio.create_task(it.watch(1))
        await it.proxy.changed()
        assert not seen.done()
        fault.end()
        assert await seen == ["MODIFIED a"]


async def test_a_frozen_watch_stays_silent_and_the_next_one_works() -> None:
    fault = Freeze()
    async with bench(fault) as it:
        it.server.tell("a")
        async with it.client.get(f"{it.proxy.url}/api/v1/pods", params={"watch": "true"}) as frozen:
            await frozen.content.readline()
            fault.strike()
            assert fault.frozen == 1
            it.server.tell("b")
            assert await it.watch(2) == ["MODIFIED a", "MODIFIED b"]
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await frozen.content.readline()


async def test_lists_of_the_cluster_are_of_the_past_until_the_present_is_let_in() -> None:
    fault = Past("17")
    async with bench(fault) as it:
        await it.send("GET", "/api/v1/pods")
        await it.send("GET", RUNS)
        await it.send("GET", f"{RUNS}/a")
        fault.end()
        await it.send("GET", "/api/v1/pods")
        past = {"resourceVersion": "17", "resourceVersionMatch": "Exact"}
        assert it.server.queries == [past, {}, {}, {}]
