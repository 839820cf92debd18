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
from seatrial.errors import ClusterError, ConflictError, NotFoundError
from seatrial.status import merge_patch, read_past, timestamp
from seatrial.verdict import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seatrial.cluster import Cluster
    from seatrial.naming import RunId

logger = logging.getLogger(__name__)

Object = dict[str, Any]

STATUS_SECONDS = 1.0
SLOW_STATUS_SECONDS = 5.0
SLOW_AFTER_SECONDS = 60.0
"""Counts are written once a second at first, and less often in a run that takes minutes."""

ANNOUNCED = {ConditionType.ACCEPTED: "Accepted", ConditionType.ENVIRONMENT_READY: "EnvironmentReady"}
"""Conditions whose turning True is an Event of its own; the verdict and the clean-up have theirs."""


class OvertakenError(Exception):
    """Somebody else has written the status since; what it says now was taken over."""


class GoneError(Exception):
    """There is no such TestRun any more, or it is being deleted; another one may have its name."""


class Reporter:
    """Writes a TestRun's status, and only over the one that it knows.

    Each write names the resourceVersion that it is based on. So an operator that was away, reads stale data, or is not
    the only one, cannot set back what another has written.
    """

    def __init__(self, run: RunId, cluster: Cluster, body: Object) -> None:
        self._run = run
        self._cluster = cluster
        self._written_at = 0.0
        self._news: list[tuple[str, str]] = []
        self._take_over(body)

    def _take_over(self, body: Object) -> None:
        self._version = str(body["metadata"].get("resourceVersion", ""))
        self._written: Object = dict(body.get("status") or {})
        self.status = parse_status(self._written)
        """What the TestRun says now."""

    def observe(self, body: Object) -> None:
        """Take a TestRun that was read. An older one says nothing."""
        version = str(body["metadata"].get("resourceVersion", ""))
        if not _is_newer(version, self._version):
            return
        if _dump(parse_status(body.get("status"))) != _dump(self.status):
            logger.warning("%s: somebody else has written the status; going on from there", self._run)
            self._take_over(body)
        self._version = version

    async def read(self) -> None:
        """Take the TestRun as the API server has it now. Raises GoneError."""
        self.observe(await self._read())

    async def _read(self) -> Object:
        try:
            body = await self._cluster.read_run(self._run)
        except NotFoundError as error:
            raise GoneError from error
        if body["metadata"]["uid"] != self._run.uid or "deletionTimestamp" in body["metadata"]:
            raise GoneError
        return body

    async def progress(self, status: TestRunStatus, now: float) -> float | None:
        """Write a status if it says something new and is due. Returns when to try again, if there is something left."""
        before = self.status
        if _content(status) == _content(before):
            await self._tell()
            return None
        age = now - (read_past(status).started_at or now)
        due = self._written_at + (STATUS_SECONDS if age < SLOW_AFTER_SECONDS else SLOW_STATUS_SECONDS)
        if _standing(status) == _standing(before) and now < due:
            return due
        await self.write(status, now)
        if _is_true(status, ConditionType.ENVIRONMENT_READY) and not _is_true(before, ConditionType.ENVIRONMENT_READY):
            metrics.ENVIRONMENT_SECONDS.observe(age)
        await self._tell()
        return None

    async def write(self, status: TestRunStatus, now: float) -> None:
        """Write a status at once. Raises GoneError, and OvertakenError when `self.status` is now another."""
        before, wanted = self.status, _dump(status)
        while patch := merge_patch(self._written, wanted):
            try:
                self._version = await self._cluster.patch_status(self._run, patch, self._version)
            except NotFoundError as error:
                raise GoneError from error
            except ConflictError:
                await self._catch_up(wanted)
            else:
                self._written = wanted
        self.status, self._written_at = status, now
        self._news += [
            (reason, next(item.message for item in status.conditions if item.type == kind))
            for kind, reason in ANNOUNCED.items()
            if _is_true(status, kind) and not _is_true(before, kind)
        ]

    async def _catch_up(self, wanted: Object) -> None:
        """Find out why a write was refused: the object has changed, or this very write was made and not answered."""
        body = await self._read()
        there = _dump(parse_status(body.get("status")))
        if there == wanted:
            self._written = wanted
        elif there != _dump(self.status):
            self._take_over(body)
            raise OvertakenError
        self._version = str(body["metadata"]["resourceVersion"])

    async def _tell(self) -> None:
        while self._news:
            await self.announce(*self._news.pop(0))

    async def announce(self, reason: str, message: str, *, warning: bool = False) -> None:
        """Record an Event. One that is refused is lost: the status says the same."""
        try:
            await self._cluster.record_event(
                self._run, warning=warning, reason=reason, message=message, at=timestamp(time.time())
            )
        except ClusterError as error:
            logger.warning("%s: the event %s could not be recorded: %s", self._run, reason, error)


def _is_newer(version: str, than: str) -> bool:
    """Whether a resourceVersion is newer than another. They are comparable as decimal numbers (KEP-5504)."""
    return version.isdecimal() and (not than.isdecimal() or int(version) > int(than))


def _dump(status: TestRunStatus) -> Object:
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)


def parse_status(status: Any) -> TestRunStatus:
    """Read a status, without the members that another version has written and this one does not know.

    What is known stays: a run that has finished must not start again after an upgrade is taken back.
    """
    known = copy.deepcopy(dict(status or {}))
    while True:
        try:
            return TestRunStatus.model_validate(known, by_alias=True, by_name=False)
        except ValidationError as error:
            found = error.errors(include_url=False, include_context=False, include_input=False)
            first = f"status.{'.'.join(map(str, found[0]['loc']))}: {found[0]['msg']}"
            logger.warning("%d members of a status cannot be read; the first is %s", len(found), first)
            # The last first, and members before what they are in: the places of the others stay what they are.
            paths = {item["loc"][:-1] if item["type"] == "missing" else item["loc"] for item in found}
            for path in sorted(paths, reverse=True):
                _remove(known, path)


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
        [item.state not in {State.PENDING, State.WAITING} and item.state for item in status.suites],
    )


def _content(status: TestRunStatus) -> Any:
    """What is worth a write: everything but the clock."""
    return status.model_copy(
        update={"duration": "", "summary": status.summary.model_copy(update={"duration_seconds": 0.0})}
    )
