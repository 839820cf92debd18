from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from alpha_panda.events import identifiers
from alpha_panda.events.identifiers import created_at, derived, uuid7

if TYPE_CHECKING:
    import pytest

milliseconds = st.integers(0, 253_402_300_799_000)
origins = st.builds(
    lambda ms, low: UUID(int=ms << 80 | 7 << 76 | 2 << 62 | low), milliseconds, st.integers(0, 2**62 - 1)
)


def test_order_outlives_a_clock_that_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    first = uuid7()
    monkeypatch.setattr(identifiers.time, "time_ns", lambda: 0)
    made = [first, *(uuid7() for _ in range(10))]
    assert all(before < after for before, after in pairwise(made)), made


@given(origins, st.lists(st.text(max_size=20), max_size=4))
def test_derived_is_a_function_of_its_parts(origin: UUID, parts: list[str]) -> None:
    one, again = derived(origin, *parts), derived(origin, *parts)
    assert one == again
    assert (one.version, one.variant, one.int >> 80) == (7, "specified in RFC 4122", origin.int >> 80)


@given(origins, st.lists(st.text(alphabet="abc", min_size=1, max_size=3), min_size=2, max_size=5, unique=True))
def test_derived_tells_parts_apart(origin: UUID, parts: list[str]) -> None:
    assert len({derived(origin, part) for part in parts}) == len(parts)
    assert derived(origin, "ab", "c") != derived(origin, "a", "bc")


@given(milliseconds)
def test_time_is_read_back(at_ms: int) -> None:
    assert created_at(UUID(int=at_ms << 80)) == datetime.fromtimestamp(at_ms / 1000, UTC)
