"""The conditions of a run and the phase that follows from them. Pure.

Polarities follow what reads them: kstatus (Flux, Helm) waits while Ready is False, unless Stalled is True;
`kubectl wait --for=condition=Finished` ends either way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from seatrial.api.status import MESSAGE_LIMIT, Condition, ConditionStatus, ConditionType, Phase

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN

COLLECTING = "Collecting"
"""Reason of SuitesCompleted while every suite has stopped and their last results are being read."""

Aspect = tuple[ConditionStatus, str, str]
"""Status, reason, message."""


def upsert(
    past: Sequence[Condition], aspects: Mapping[ConditionType, Aspect], generation: int, now: str
) -> list[Condition]:
    """Conditions in their fixed order; a transition time changes only with the status."""
    known = {condition.type: condition for condition in past}
    conditions = []
    for kind in ConditionType:
        before = known.get(kind)
        status, reason, message = aspects.get(kind) or (
            (before.status, before.reason, before.message) if before else (UNKNOWN, "Pending", "")
        )
        same = before is not None and before.status == status
        conditions.append(
            Condition(
                type=kind,
                status=status,
                reason=reason,
                message=message[:MESSAGE_LIMIT],
                last_transition_time=before.last_transition_time if before is not None and same else now,
                observed_generation=generation,
            )
        )
    return conditions


def phase_of(conditions: Sequence[Condition]) -> Phase:
    """The run in one word. Nothing reads it but people."""
    by_type = {condition.type: condition for condition in conditions}
    succeeded = by_type[ConditionType.SUCCEEDED]
    if by_type[ConditionType.FINISHED].status is TRUE:
        if succeeded.status is TRUE:
            return Phase.PASSED
        return {"TestsFailed": Phase.FAILED, "Cancelled": Phase.CANCELLED}.get(succeeded.reason, Phase.ERROR)
    environment = by_type[ConditionType.ENVIRONMENT_READY]
    if by_type[ConditionType.ACCEPTED].status is not TRUE or environment.reason == "Suspended":
        return Phase.PENDING
    if environment.reason == "Queued":
        return Phase.QUEUED
    if environment.status is not TRUE:
        return Phase.PROVISIONING
    if by_type[ConditionType.SUITES_COMPLETED].reason == COLLECTING:
        return Phase.COLLECTING
    return Phase.RUNNING
