"""Who may start, and who is woken when a slot is free."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from seatrial.naming import RunId
from seatrial.slots import Slots


def run(uid: str) -> RunId:
    """A run in the namespace that its uid begins with."""
    return RunId(uid, uid.partition("/")[0] if "/" in uid else "team", uid)


class Queue:
    """Runs that ask for slots whenever they are woken."""

    def __init__(self, limit: int) -> None:
        self.slots = Slots(limit)
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
