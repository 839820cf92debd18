"""Keeping a status small: etcd holds every revision of it, and every watcher gets each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seatrial.sizes import stored_size
from seatrial.verdict import State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from seatrial.api.base import Model
    from seatrial.api.status import TestRunStatus

LIMIT_BYTES = 96 * 1024
"""Of a whole status. It must stay below 100 KiB, and the verdict is not its last word."""
TEXT_BYTES = 128
FEW_FAILURES = 10


def fit(status: TestRunStatus) -> TestRunStatus:
    """Leave out what matters least until the status is small enough. All of it is in the TestResultSlices."""
    over = _size(status) - LIMIT_BYTES
    if over <= 0:
        return status
    status = _without_tests(status, over)
    for step in _STEPS:
        if _size(status) <= LIMIT_BYTES:
            break
        status = step(status)
    return status


def _size(item: Model) -> int:
    return stored_size(item.model_dump(mode="json", by_alias=True, exclude_none=True))


def _without_tests(status: TestRunStatus, over: int) -> TestRunStatus:
    """Without the last tests, as many as it takes."""
    tests = list(status.tests)
    while tests and over > 0:
        over -= _size(tests.pop()) + 1
    return status.model_copy(update={"tests": tests, "tests_truncated": True})


def _short(text: str, limit: int = TEXT_BYTES) -> str:
    """The start of a text, of at most `limit` bytes as they are stored."""
    while stored_size(text) - 2 > limit:
        text = text[: len(text) * limit // max(limit + 1, stored_size(text))]
    return text


def _shorten(items: Sequence[Any], *names: str) -> list[Any]:
    return [item.model_copy(update={name: _short(getattr(item, name)) for name in names}) for item in items]


def _short_failures(status: TestRunStatus) -> TestRunStatus:
    return status.model_copy(update={"failures": _shorten(status.failures, "message", "location")})


def _few_failures(status: TestRunStatus) -> TestRunStatus:
    return status.model_copy(update={"failures": status.failures[:FEW_FAILURES]})


def _quiet_shards(status: TestRunStatus) -> TestRunStatus:
    suites = [suite.model_copy(update={"shards": _shorten(suite.shards, "message")}) for suite in status.suites]
    return status.model_copy(update={"suites": suites})


def _shards_with_trouble(status: TestRunStatus) -> TestRunStatus:
    fine = {State.PASSED, State.PENDING}
    suites = [
        suite.model_copy(update={"shards": [shard for shard in suite.shards if shard.state not in fine]})
        for suite in status.suites
    ]
    return status.model_copy(update={"suites": suites})


def _short_texts(status: TestRunStatus) -> TestRunStatus:
    return status.model_copy(
        update={
            "message": _short(status.message, 4 * TEXT_BYTES),
            "conditions": _shorten(status.conditions, "message"),
            "services": _shorten(status.services, "message", "image"),
            "applications": _shorten(status.applications, "message", "image"),
            "suites": _shorten(status.suites, "message"),
        }
    )


def _no_shards(status: TestRunStatus) -> TestRunStatus:
    return status.model_copy(update={"suites": [suite.model_copy(update={"shards": []}) for suite in status.suites]})


_STEPS: tuple[Callable[[TestRunStatus], TestRunStatus], ...] = (
    _short_failures,
    _quiet_shards,
    _few_failures,
    _shards_with_trouble,
    _short_texts,
    _no_shards,
)
