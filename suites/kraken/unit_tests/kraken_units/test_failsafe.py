from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraken.breaker import CircuitBreaker, State
from kraken.cache import Cache
from kraken.errors import (
    CircuitOpenError,
    InvalidNonceError,
    RateLimitedError,
    RejectedError,
    UnavailableError,
    from_codes,
)
from kraken.limiter import RateLimiter
from kraken.retry import backoff, may_repeat
from kraken_sandbox.counters import TIERS, Counter, cancel_cost


class Clock:
    """Time that passes when it is told to, and while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_the_breaker_opens_after_failures_in_a_row() -> None:
    clock = Clock()
    breaker = CircuitBreaker(3, 10, clock)
    for step in (breaker.failed, breaker.failed, breaker.succeeded, breaker.failed, breaker.failed):
        step()
    assert breaker.state is State.CLOSED
    breaker.failed()
    assert (breaker.state, breaker.times_opened) == (State.OPEN, 1)
    with pytest.raises(CircuitOpenError, match=r"open for 10\.0 s more"):
        breaker.enter("Balance")


def test_half_open_lets_one_request_find_out() -> None:
    clock = Clock()
    breaker = CircuitBreaker(1, 10, clock)
    breaker.failed()
    clock.now = 10
    assert breaker.state is State.HALF_OPEN
    breaker.enter("Balance")
    with pytest.raises(CircuitOpenError):
        breaker.enter("Balance")
    breaker.failed()
    assert (breaker.state, breaker.times_opened) == (State.OPEN, 2)
    clock.now = 20
    breaker.enter("Balance")
    breaker.succeeded()
    assert breaker.state is State.CLOSED
    breaker.enter("Balance")


def test_a_trial_that_came_to_no_end_makes_room_for_another() -> None:
    clock = Clock()
    breaker = CircuitBreaker(1, 10, clock)
    breaker.failed()
    clock.now = 10
    breaker.enter("Balance")
    breaker.abandoned()
    breaker.enter("Balance")


@given(st.lists(st.sampled_from([0, 1, 2]), min_size=1, max_size=60))
async def test_the_limiter_never_exceeds_what_the_exchange_counts(costs: list[int]) -> None:
    """Both count with the documented numbers, at the same time: nothing is refused."""
    clock, tier = Clock(), TIERS["starter"]
    limiter = RateLimiter(tier.rest_max, tier.rest_decay, clock, clock.sleep)
    theirs = Counter(tier.rest_max, tier.rest_decay, clock)
    for cost in costs:
        await limiter.acquire(cost)
        assert theirs.add(cost) or theirs.value == pytest.approx(tier.rest_max)


async def test_a_saturated_limiter_waits() -> None:
    clock = Clock()
    limiter = RateLimiter(10, 2, clock, clock.sleep)
    limiter.saturate()
    assert await limiter.acquire(1) == pytest.approx(0.5)


def test_backoff_doubles_up_to_its_maximum() -> None:
    assert [backoff(number, 0.5, 3) for number in range(1, 6)] == [0.5, 1, 2, 3, 3]


@pytest.mark.parametrize(
    ("codes", "kind", "again", "order_again"),
    [
        (["EAPI:Rate limit exceeded"], RateLimitedError, True, True),
        (["EOrder:Rate limit exceeded"], RateLimitedError, True, True),
        (["EAPI:Invalid nonce"], InvalidNonceError, True, True),
        (["EService:Unavailable"], UnavailableError, True, False),
        (["EGeneral:Internal error"], UnavailableError, True, False),
        (["EOrder:Insufficient funds"], RejectedError, False, False),
        (["EAPI:Invalid key"], RejectedError, False, False),
        (["EService:Deadline elapsed"], RejectedError, False, False),
    ],
)
def test_what_is_asked_again(codes: list[str], kind: type, *, again: bool, order_again: bool) -> None:
    error = from_codes("AddOrder", codes)
    assert type(error) is kind
    assert may_repeat(error, repeatable=True) is again
    assert may_repeat(error, repeatable=False) is order_again


def test_an_order_that_was_not_sent_is_sent_again() -> None:
    assert may_repeat(UnavailableError("AddOrder", "no connection", sent=False), repeatable=False)


async def test_the_cache_shows_old_values_only_while_asking_fails() -> None:
    clock = Clock()
    cache: Cache[int] = Cache(1, 10, clock)
    asked: list[int] = []

    async def fetch() -> int:
        asked.append(1)
        if len(asked) == 2:
            raise UnavailableError("Ticker", "EService:Unavailable")
        return len(asked)

    assert (await cache.get("a", fetch)).value == 1
    assert ((await cache.get("a", fetch)).value, len(asked)) == (1, 1)
    clock.now = 5
    stale = await cache.get("a", fetch)
    assert (stale.value, stale.stale) == (1, True)
    fresh = await cache.get("a", fetch)
    assert (fresh.value, fresh.stale) == (3, False)
    clock.now = 16
    asked.clear()
    asked.append(1)
    with pytest.raises(UnavailableError):
        await cache.get("a", fetch)


def test_cancelling_early_costs_more() -> None:
    costs = [cancel_cost(seconds) for seconds in (0, 5, 10, 15, 45, 90, 300)]
    assert costs == [8, 6, 5, 4, 2, 1, 0]
