from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from seatrial.agent.environment.attempts import DeadlineError, until_success
from seatrial.agent.environment.outcomes import NotReadyError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator


def soon(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


class Server:
    """Answers each attempt with the next of some errors, then with success."""

    def __init__(self, *errors: Exception) -> None:
        self.errors: Iterator[Exception] = iter(errors)
        self.attempts = 0

    async def attempt(self) -> None:
        self.attempts += 1
        for error in self.errors:
            raise error


async def test_attempts_are_repeated_and_reported_until_one_succeeds() -> None:
    server, seen = Server(NotReadyError("a"), NotReadyError("b")), list[str]()
    await until_success(server.attempt, deadline=soon(30), on_waiting=seen.append)
    assert (server.attempts, seen) == (3, ["a", "b"])


async def test_a_refusal_ends_it_at_once() -> None:
    server, seen = Server(RefusedError("wrong password")), list[str]()
    with pytest.raises(RefusedError, match="wrong password"):
        await until_success(server.attempt, deadline=soon(30), on_waiting=seen.append)
    assert (server.attempts, seen) == (1, [])


async def test_a_defect_is_not_taken_for_waiting() -> None:
    with pytest.raises(KeyError):
        await until_success(Server(KeyError("x")).attempt, deadline=soon(30), on_waiting=lambda _: None)
    with pytest.raises(TimeoutError):
        await until_success(Server(TimeoutError()).attempt, deadline=soon(30), on_waiting=lambda _: None)


async def test_the_deadline_says_what_was_seen_last() -> None:
    async def attempt() -> None:
        raise NotReadyError("still loading")

    with pytest.raises(DeadlineError, match="still loading"):
        await until_success(attempt, deadline=soon(0.1), on_waiting=lambda _: None)


async def test_an_attempt_that_hangs_is_given_up_and_tried_again() -> None:
    hung, seen = asyncio.Event(), list[str]()

    async def attempt() -> None:
        if not hung.is_set():
            hung.set()
            await asyncio.Event().wait()

    await until_success(attempt, deadline=soon(30), on_waiting=seen.append, attempt_seconds=0.05)
    assert seen == ["no answer within 0.05 s"]


async def test_a_hanging_attempt_does_not_outlive_the_deadline() -> None:
    async def attempt() -> None:
        await asyncio.Event().wait()

    with pytest.raises(DeadlineError, match=r"^$"):
        await until_success(attempt, deadline=soon(0.05), on_waiting=lambda _: None, attempt_seconds=None)
