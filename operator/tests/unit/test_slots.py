"""Who may start, and who is woken when a slot is free."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.naming import RunId
from seatrial.slots import Place, Slots


def run(uid: str) -> RunId:
    """A run in the namespace that its uid begins with."""
    return RunId(uid, uid.partition("/")[0] if "/" in uid else "team", uid)


class Queue:
    """Runs that ask for slots whenever they are woken."""

    def __init__(self, limit: int, namespace_limit: int | None = None) -> None:
        self.slots = Slots(limit, namespace_limit)
        self.woken: list[str] = []
        self.created: dict[str, str] = {}

    def ask(self, uid: str, created_at: str | None = None) -> bool:
        self.created[uid] = created_at or self.created.get(uid, uid)
        return self.slots.ask(run(uid), self.created[uid], lambda: self.woken.append(uid))

    def settle(self) -> list[str]:
        """Let everybody who was woken ask again; returns who got a slot."""
        started: list[str] = []
        while self.woken:
            uid = self.woken.pop(0)
            if uid not in started and self.ask(uid):
                started.append(uid)
        return started


def test_as_many_as_there_are_slots() -> None:
    queue = Queue(2)
    assert [queue.ask(uid) for uid in "abc"] == [True, True, False]
    assert queue.slots.active == 2
    assert queue.ask("a")  # asking again takes no second slot
    assert queue.slots.active == 2


def test_the_oldest_is_next() -> None:
    queue = Queue(1)
    queue.ask("a", "2025-01-01T00:00:00Z")
    assert not queue.ask("b", "2025-01-01T00:00:03Z")
    assert not queue.ask("c", "2025-01-01T00:00:02Z")
    queue.slots.release("a")
    assert queue.woken == ["c"]
    assert not queue.ask("b")
    assert queue.settle() == ["c"]


def test_of_the_same_age_the_uid_decides() -> None:
    queue = Queue(1)
    queue.ask("z", "2025-01-01T00:00:00Z")
    assert [queue.ask(uid, "2025-01-01T00:00:01Z") for uid in "cb"] == [False, False]
    queue.slots.release("z")
    assert queue.settle() == ["b"]


def test_slots_that_are_free_at_once_are_taken_at_once() -> None:
    queue = Queue(2)
    for uid in "abcd":
        queue.ask(uid)
    queue.slots.release("a")
    queue.slots.release("b")
    assert queue.settle() == ["c", "d"]


def test_whoever_gives_up_waiting_lets_the_next_one_pass() -> None:
    queue = Queue(1)
    for uid in "abc":
        queue.ask(uid)
    queue.slots.release("a")
    queue.slots.release("b")
    assert queue.woken == ["b", "c"]
    queue.woken.remove("b")
    assert queue.settle() == ["c"]


def test_a_run_that_was_started_before_counts_whatever_the_limit_says() -> None:
    queue = Queue(1)
    assert not [queue.ask("a"), queue.ask("b")][1]
    queue.slots.adopt(run("b"))
    queue.slots.adopt(run("c"))
    assert queue.slots.active == 3
    queue.slots.release("a")
    queue.slots.release("b")
    assert not queue.ask("d")
    queue.slots.release("c")
    assert queue.settle() == ["d"]


def test_a_namespace_that_asks_for_much_does_not_keep_the_others_waiting() -> None:
    queue = Queue(2)
    for uid in ("big/1", "big/2", "big/3", "big/4", "small/5", "tiny/6"):
        queue.ask(uid)
    queue.slots.release("big/1")
    assert queue.settle() == ["small/5"]
    queue.slots.release("small/5")
    assert queue.settle() == ["tiny/6"]
    queue.slots.release("big/2")
    assert queue.settle() == ["big/3"]
    assert queue.slots.waiting == 1


def test_namespaces_take_turns_when_there_are_fewer_slots_than_namespaces() -> None:
    queue = Queue(1)
    for uid in ("big/1", "big/2", "big/3", "small/4", "small/5", "tiny/6"):
        queue.ask(uid)
    order = ["big/1"]
    while queue.slots.waiting:
        queue.slots.release(order[-1])
        order += queue.settle()
    assert order == ["big/1", "small/4", "tiny/6", "big/2", "small/5", "big/3"]


def test_thousands_may_wait() -> None:
    queue = Queue(1)
    for number in range(3000):
        queue.ask(f"team{number % 7}/{number:04}")
    for number in range(3000):  # each asks again now and then
        queue.ask(f"team{number % 7}/{number:04}")
    assert queue.slots.waiting == 2999
    queue.slots.release("team0/0000")
    assert queue.settle() == ["team1/0001"]


def test_slots_of_runs_that_are_gone_come_back() -> None:
    queue = Queue(2)
    for uid in "abcd":
        queue.ask(uid)
    queue.slots.retain({"b", "c", "d"})
    assert queue.settle() == ["c"]
    queue.slots.retain({"b", "c", "d"})
    assert queue.slots.active == 2


def test_giving_back_what_one_has_not_is_nothing() -> None:
    queue = Queue(1)
    queue.slots.release("a")
    assert queue.slots.active == 0


@given(limit=st.integers(1, 3), moves=st.lists(st.tuples(st.sampled_from("abcdef"), st.booleans()), max_size=40))
def test_no_slot_stays_free_while_somebody_waits(limit: int, moves: list[tuple[str, bool]]) -> None:
    queue = Queue(limit)
    active: set[str] = set()
    waiting: set[str] = set()
    for uid, asks in moves:
        if asks and uid not in active:
            (active if queue.ask(uid) else waiting).add(uid)
        elif not asks:
            queue.slots.release(uid)
            active.discard(uid)
            waiting.discard(uid)
        queue.woken = [name for name in queue.woken if name in waiting]
        started = set(queue.settle())
        active |= started
        waiting -= started
        assert queue.slots.active == len(active) <= limit
        assert not waiting or len(active) == limit


def place(queue: Queue, uid: str) -> Place:
    found = queue.slots.place(uid)
    assert found is not None
    return found


def test_a_namespace_has_no_more_than_it_may_have_though_slots_are_free() -> None:
    queue = Queue(4, 2)
    assert [queue.ask(uid) for uid in ("big/1", "big/2", "big/3", "big/4", "small/5")] == [
        True,
        True,
        False,
        False,
        True,
    ]
    assert place(queue, "big/4") == Place(1, 2, "big")
    queue.slots.release("big/1")
    assert queue.settle() == ["big/3"]
    assert str(place(queue, "big/4")) == (
        "namespace big has as many active runs as one may have (2); this one is at position 1 of the queue"
    )


def test_a_full_namespace_keeps_nobody_waiting() -> None:
    queue = Queue(2, 1)
    for uid in ("big/1", "big/2", "big/3"):
        queue.ask(uid)
    assert queue.ask("small/4")
    queue.ask("tiny/5")
    assert place(queue, "tiny/5") == Place(0, 2)
    queue.slots.release("small/4")
    assert queue.settle() == ["tiny/5"]


def test_who_has_a_slot_or_asks_for_none_has_no_place() -> None:
    queue = Queue(1)
    queue.ask("a")
    assert queue.slots.place("a") is None
    assert queue.slots.place("b") is None


@pytest.mark.parametrize(
    ("ahead", "said"),
    [(0, "position 1 of"), (9, "position 10 of"), (10, "a position after 10 of"), (19, "a position after 10 of"),
     (20, "a position after 20 of"), (99, "a position after 50 of"), (100, "a position after 100 of"),
     (9999, "a position after 1000 of")],
)  # fmt: skip
def test_places_far_behind_are_told_roughly(ahead: int, said: str) -> None:
    """Each change of a message is a write of a status."""
    assert said in str(Place(ahead, 4))


@given(
    limit=st.integers(1, 4),
    asked=st.lists(st.sampled_from("abcd"), min_size=1, max_size=14),
    given_back=st.integers(0, 3),
)
def test_a_place_is_what_comes_true(limit: int, asked: list[str], given_back: int) -> None:
    """Whoever is n-th starts as the n-th, when none of those that are active ends, and nobody else comes."""
    queue = Queue(limit)
    for number, namespace in enumerate(asked):
        queue.ask(f"{namespace}/{number:02}")
    for uid in list(queue.slots._active)[:given_back]:
        queue.slots.release(uid)
        queue.settle()
    waiting = [uid for uid in (f"{n}/{i:02}" for i, n in enumerate(asked)) if queue.slots.place(uid) is not None]
    told = {uid: place(queue, uid).ahead for uid in waiting}
    order = []
    queue.woken.clear()
    while queue.slots.waiting:
        queue.slots.limit += 1
        queue.slots._wake_next()
        order += queue.settle()[:1]
    assert order == sorted(waiting, key=told.__getitem__)
    assert sorted(told.values()) == list(range(len(waiting)))
