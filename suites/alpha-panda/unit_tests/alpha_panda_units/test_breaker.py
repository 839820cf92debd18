from __future__ import annotations

import asyncio

import pytest

from alpha_panda.streaming.breaker import CircuitBreaker, CircuitOpenError, State


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker(failures=3, reset_seconds=10, clock=clock)


async def fail(breaker: CircuitBreaker, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(OSError, match="away"):
            async with breaker.guard():
                raise OSError("away")


async def succeed(breaker: CircuitBreaker) -> None:
    async with breaker.guard():
        pass


async def test_opens_after_failures_in_a_row(breaker: CircuitBreaker) -> None:
    await fail(breaker, 2)
    await succeed(breaker)
    await fail(breaker, 2)
    assert breaker.state is State.CLOSED
    await fail(breaker)
    assert (breaker.state, breaker.openings, breaker.seconds_to_wait) == (State.OPEN, 1, 10)
    with pytest.raises(CircuitOpenError, match=r"open for another 10\.0 s"):
        await succeed(breaker)


async def test_one_success_closes_it(breaker: CircuitBreaker, clock: Clock) -> None:
    await fail(breaker, 3)
    clock.now = 10
    assert breaker.state is State.HALF_OPEN
    await succeed(breaker)
    await fail(breaker, 2)
    assert breaker.state is State.CLOSED


async def test_one_failure_opens_it_anew(breaker: CircuitBreaker, clock: Clock) -> None:
    await fail(breaker, 3)
    clock.now = 15
    await fail(breaker)
    assert (breaker.state, breaker.openings, breaker.seconds_to_wait) == (State.OPEN, 2, 10)


async def test_half_open_lets_one_call_through(breaker: CircuitBreaker, clock: Clock) -> None:
    await fail(breaker, 3)
    clock.now = 10
    async with breaker.guard():
        with pytest.raises(CircuitOpenError):
            await succeed(breaker)
    assert breaker.state is State.CLOSED


async def test_cancellation_is_no_failure(breaker: CircuitBreaker) -> None:
    for _ in range(5):
        with pytest.raises(asyncio.CancelledError):
            async with breaker.guard():
                raise asyncio.CancelledError
    assert breaker.state is State.CLOSED


@pytest.mark.parametrize(("failures", "seconds"), [(0, 1), (1, 0)])
def test_senseless_limits_are_refused(failures: int, seconds: float) -> None:
    with pytest.raises(ValueError, match="expected at least 1 and more than 0"):
        CircuitBreaker(failures, seconds)
