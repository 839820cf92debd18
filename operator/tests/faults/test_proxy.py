"""The proxy and its faults, with a server in the place of the API server. Needs no cluster."""

from __future__ import annotations

import asyncio

import pytest

from .call import CUT, parse_call
from .fault import refusal
from .proxy_bench import RUNS, bench
from .request_faults import After, Delay, Instead, Refuse, Silence, Sometimes, writes
from .stale import Past
from .watches import Cut, Freeze, Miss, Pause, Reorder, Repeat


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
