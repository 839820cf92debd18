"""Telling the world about a run: its status, written seldom and never backwards, and one Event a transition."""

from __future__ import annotations

import copy
import logging
import time
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from seatrial import metrics
from seatrial.api import TestRunStatus
from seatrial.api.status import ConditionStatus, ConditionType
from seatrial.errors import ClusterError
from seatrial.status import merge_patch, read_past, timestamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seatrial.cluster import Cluster
    from seatrial.naming import RunId

logger = logging.getLogger(__name__)

STATUS_SECONDS = 1.0
SLOW_STATUS_SECONDS = 5.0
SLOW_AFTER_SECONDS = 60.0
"""Counts are written once a second at first, and less often in a run that takes minutes."""

ANNOUNCED = {ConditionType.ACCEPTED: "Accepted", ConditionType.ENVIRONMENT_READY: "EnvironmentReady"}
"""Conditions whose turning True is an Event of its own; the verdict and the clean-up have theirs."""


class Reporter:
    """The one writer of a TestRun's status."""

    def __init__(self, run: RunId, cluster: Cluster, status: Any) -> None:
        self._run = run
        self._cluster = cluster
        self.status = _parse(status)
        """What the TestRun says now."""
        self._written: dict[str, Any] = dict(status or {})
        self._written_at = 0.0

    async def progress(self, status: TestRunStatus, now: float) -> float | None:
        """Write a status if it says something new and is due. Returns when to try again, if there is something left."""
        before = self.status
        if _content(status) == _content(before):
            return None
        age = now - (read_past(status).started_at or now)
        due = self._written_at + (STATUS_SECONDS if age < SLOW_AFTER_SECONDS else SLOW_STATUS_SECONDS)
        if _standing(status) == _standing(before) and now < due:
            return due
        await self.write(status, now)
        for kind, reason in ANNOUNCED.items():
            if _is_true(status, kind) and not _is_true(before, kind):
                await self.announce(reason, next(item.message for item in status.conditions if item.type == kind))
                if kind is ConditionType.ENVIRONMENT_READY:
                    metrics.ENVIRONMENT_SECONDS.observe(age)
        return None

    async def write(self, status: TestRunStatus, now: float) -> None:
        """Write a status at once."""
        wanted = status.model_dump(mode="json", by_alias=True, exclude_none=True)
        patch = merge_patch(self._written, wanted)
        if patch:
            await self._cluster.patch_status(self._run, patch)
        self._written, self.status, self._written_at = wanted, status, now

    async def announce(self, reason: str, message: str, *, warning: bool = False) -> None:
        """Record an Event. One that is refused is lost: the status says the same."""
        try:
            await self._cluster.record_event(
                self._run, warning=warning, reason=reason, message=message, at=timestamp(time.time())
            )
        except ClusterError as error:
            logger.warning("%s: the event %s could not be recorded: %s", self._run, reason, error)


def _parse(status: Any) -> TestRunStatus:
    """Read a status, without the members that another version has written and this one does not know.

    What is known stays: a run that has finished must not start again after an upgrade is taken back.
    """
    known = copy.deepcopy(dict(status or {}))
    while True:
        try:
            return TestRunStatus.model_validate(known)
        except ValidationError as error:
            problem = error.errors()[0]
            logger.warning("status.%s cannot be read: %s", ".".join(map(str, problem["loc"])), problem["msg"])
            _remove(known, problem["loc"][:-1] if problem["type"] == "missing" else problem["loc"])


def _remove(data: Any, path: Sequence[int | str]) -> None:
    """Remove the member at a path; the whole, when there is no path."""
    if not path:
        data.clear()
        return
    for part in path[:-1]:
        data = data[part]
    del data[path[-1]]


def _is_true(status: TestRunStatus, kind: ConditionType) -> bool:
    return any(item.type == kind and item.status is ConditionStatus.TRUE for item in status.conditions)


def _standing(status: TestRunStatus) -> Any:
    """What is written at once when it changes."""
    return (
        status.phase,
        status.reason,
        status.observed_generation,
        [(item.type, item.status) for item in status.conditions],
        [item.state for item in status.suites],
    )


def _content(status: TestRunStatus) -> Any:
    """What is worth a write: everything but the clock."""
    return status.model_copy(
        update={"duration": "", "summary": status.summary.model_copy(update={"duration_seconds": 0.0})}
    )
