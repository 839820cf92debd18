"""The conditions, and the phase that follows from them."""

from __future__ import annotations

import pytest

from seatrial.api.status import MESSAGE_LIMIT, Condition, ConditionStatus, ConditionType, Phase
from seatrial.conditions import FALSE, TRUE, UNKNOWN, Aspect, phase_of, upsert

C = ConditionType
FIRST, LATER = "2025-10-09T08:53:20.000000Z", "2025-10-09T08:54:20.000000Z"


def conditions(**aspects: Aspect) -> list[Condition]:
    return upsert([], {C[name.upper()]: aspect for name, aspect in aspects.items()}, 1, FIRST)


def test_all_conditions_are_there_from_the_first_status_on() -> None:
    found = conditions(accepted=(TRUE, "Accepted", "fine"))
    assert [item.type for item in found] == list(C)
    assert found[0].status is TRUE
    assert {(item.status, item.reason) for item in found[1:]} == {(UNKNOWN, "Pending")}
    assert {(item.observed_generation, item.last_transition_time) for item in found} == {(1, FIRST)}


def test_a_transition_time_changes_only_with_the_status() -> None:
    before = conditions(ready=(FALSE, "InProgress", "not yet"), stalled=(FALSE, "InProgress", ""))
    after = upsert(before, {C.READY: (FALSE, "Queued", "later"), C.STALLED: (TRUE, "Failed", "")}, 2, LATER)
    ready, stalled = (next(item for item in after if item.type == kind) for kind in (C.READY, C.STALLED))
    assert (ready.reason, ready.message, ready.last_transition_time) == ("Queued", "later", FIRST)
    assert (stalled.status, stalled.last_transition_time) == (ConditionStatus.TRUE, LATER)
    assert {item.observed_generation for item in after} == {2}


def test_what_is_not_spoken_of_stays_as_it_was() -> None:
    before = conditions(succeeded=(FALSE, "TestsFailed", "1 of 2"))
    after = upsert(before, {}, 1, LATER)
    assert after == before


def test_messages_are_bounded() -> None:
    assert len(conditions(ready=(FALSE, "R", "x" * 9999))[6].message) == MESSAGE_LIMIT


OVER = {"accepted": (TRUE, "Accepted", ""), "finished": (TRUE, "Over", "")}
GOING = {"accepted": (TRUE, "Accepted", ""), "finished": (FALSE, "InProgress", "")}
READY = {"environment_ready": (TRUE, "Ready", "")}


@pytest.mark.parametrize(
    ("aspects", "phase"),
    [
        ({}, Phase.PENDING),
        ({"accepted": (FALSE, "InvalidSpec", "")}, Phase.PENDING),
        (GOING | {"environment_ready": (FALSE, "Suspended", "")}, Phase.PENDING),
        (GOING | {"environment_ready": (FALSE, "Queued", "")}, Phase.QUEUED),
        (GOING, Phase.PROVISIONING),
        (GOING | {"environment_ready": (FALSE, "Provisioning", "")}, Phase.PROVISIONING),
        (GOING | READY, Phase.RUNNING),
        (GOING | READY | {"suites_completed": (FALSE, "Collecting", "")}, Phase.COLLECTING),
        (OVER | READY | {"succeeded": (TRUE, "AllTestsPassed", "")}, Phase.PASSED),
        (OVER | READY | {"succeeded": (FALSE, "TestsFailed", "")}, Phase.FAILED),
        (OVER | READY | {"succeeded": (FALSE, "Incomplete", "")}, Phase.ERROR),
        (OVER | {"succeeded": (FALSE, "Cancelled", "")}, Phase.CANCELLED),
        (OVER | {"accepted": (FALSE, "InvalidSpec", ""), "succeeded": (FALSE, "InvalidSpec", "")}, Phase.ERROR),
    ],
)
def test_the_phase_follows_from_the_conditions(aspects: dict[str, Aspect], phase: Phase) -> None:
    assert phase_of(conditions(**aspects)) is phase
