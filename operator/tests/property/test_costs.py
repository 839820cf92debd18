"""What a shard's records cost: lookups that grow with their number alone, and no more memory than there are bounds."""

from __future__ import annotations

from typing import Any

import pytest

from seatrial import evidence as module
from seatrial.evidence import Room, ShardEvidence
from seatrial.records import OUTCOMES, Attempt, End
from seatrial.slices import SliceWriter
from tests.builders import RUN

KEY = ("core", 0)
POD = "pod-uid"


class CountingDict(dict[str, Any]):
    """Counts how often it is asked."""

    asked = 0

    def get(self, key: str, default: Any = None) -> Any:
        CountingDict.asked += 1
        return super().get(key, default)


NAMES = {
    "one name": lambda n: ["a"] * n,
    "names that look counted": lambda n: [*(f"a#{k}" for k in range(2, n // 2)), *["a"] * (n // 2)],
    "the same from behind": lambda n: [*(f"a#{k}" for k in range(n // 2, 1, -1)), *["a"] * (n // 2)],
    "two by two": lambda n: [name for k in range(n // 4) for name in (f"a#{k}", "a", f"a#{k}#2", f"a#{k}")],
}


@pytest.mark.parametrize("kind", NAMES)
def test_repeated_names_cost_no_more_than_others(kind: str) -> None:
    """Twice as many records ask twice as often, not four times."""
    asked = []
    for size in (1000, 2000):
        evidence = ShardEvidence(*KEY, POD, tests=CountingDict())
        CountingDict.asked = 0
        for number, name in enumerate(NAMES[kind](size), 1):
            evidence.fold(number, Attempt(name, "passed"))
        asked.append(CountingDict.asked)
        assert evidence.finals == len(evidence.tests)
    assert asked[1] <= 2.5 * asked[0]
    assert asked[1] <= 10 * 2000


def test_what_a_shard_holds_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundredth of the bounds, and as much told as there is no bound for."""
    monkeypatch.setattr(module, "MAX_VOLUME", 600_000)
    evidence, writer = ShardEvidence(*KEY, POD), SliceWriter(RUN, *KEY)
    stored = 0
    for number in range(1, 20_001):
        record = Attempt(f"{number}{'a' * 900}", OUTCOMES[number % 6], message="m" * 500, text="x" * 8000)
        if evidence.fold(number, record):
            writer.add(number, record, POD)
            stored += 1
        assert len(writer.pending(POD)) <= 25
    assert stored < 600
    assert evidence.lost
    assert sum(len(test.id) + len(test.message) for test in evidence.tests.values()) <= 600_000


def test_what_all_shards_hold_together_is_bounded() -> None:
    room = Room(tests=1000)
    shards = [ShardEvidence("core", index, POD, room) for index in range(4)]
    for number in range(1, 401):
        for shard in shards:
            shard.fold(number, Attempt(f"t{number}", "passed"))
    assert sum(len(shard.tests) for shard in shards) == 1000
    assert {shard.lost for shard in shards} == {"there are more than 200000 tests in all suites: split the run"}


def test_the_end_is_known_of_a_run_that_is_too_big() -> None:
    room = Room(volume=10_000)
    shards = [ShardEvidence("core", index, POD, room) for index in range(2)]
    taken = sum(shard.fold(number, Attempt("a" * 900, "passed")) for number in range(1, 21) for shard in shards)
    assert taken == 10
    for shard in shards:
        shard.fold(shard.sequence + 1, End(at=1.0, rc=0))
        assert shard.end is not None
        assert shard.lost == "the records of all suites take more than 64 MiB: split the run"
