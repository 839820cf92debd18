"""Runs whose finalizer could not be changed are brought to mind again, and no others."""

from __future__ import annotations

import asyncio
from typing import Any

import kopf
import pytest

from seatrial import unsettled as module
from seatrial.errors import ConflictError
from seatrial.handlers import _is_settled
from seatrial.naming import FINALIZER
from seatrial.unsettled import PATIENCE_SECONDS, Unsettled, touch_forever
from tests.builders import RUN, body_of
from tests.fake_cluster import FakeCluster, Write

OVER = {"conditions": [{"type": kind, "status": "True"} for kind in ("Finished", "EnvironmentCleaned")]}
DELETED = {"deletionTimestamp": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("status", "metadata", "settled"),
    [
        pytest.param({}, {}, False, id="new"),
        pytest.param({}, {"finalizers": ["somebody.else/wants"]}, False, id="only somebody else's"),
        pytest.param({}, {"finalizers": [FINALIZER]}, True, id="taken up"),
        pytest.param(OVER, {}, True, id="over"),
        pytest.param(OVER, {"finalizers": [FINALIZER]}, True, id="over, as usual"),
        pytest.param({}, DELETED | {"finalizers": [FINALIZER]}, False, id="to be released"),
        pytest.param(OVER, DELETED | {"finalizers": [FINALIZER]}, False, id="over, to be released"),
        pytest.param({}, DELETED | {"finalizers": ["somebody.else/wants"]}, True, id="released"),
    ],
)
def test_whose_finalizer_is_as_it_should_be(status: dict[str, Any], metadata: dict[str, Any], *, settled: bool) -> None:
    body: Any = body_of(**{"finalizers": []} | metadata) | {"status": status}
    assert _is_settled(kopf.Body(body), FINALIZER) is settled


def test_only_after_a_while_and_again_after_another() -> None:
    runs = Unsettled()
    runs.observe(RUN, settled=False, now=100.0)
    runs.observe(RUN, settled=False, now=100.0 + PATIENCE_SECONDS - 1)
    assert runs.take_overdue(100.0 + PATIENCE_SECONDS - 1) == []
    assert runs.take_overdue(100.0 + PATIENCE_SECONDS) == [RUN]
    assert runs.take_overdue(100.0 + PATIENCE_SECONDS + 1) == []
    assert runs.take_overdue(100.0 + 2 * PATIENCE_SECONDS) == [RUN]
    runs.observe(RUN, settled=True, now=200.0)
    assert runs.take_overdue(300.0) == []


async def test_what_is_overdue_is_touched_until_it_is_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(module, "INTERVAL_SECONDS", 0.0)
    cluster, runs, thrice = FakeCluster(), Unsettled(), asyncio.Event()

    def before(number: int, write: Write) -> None:
        if number == 3:
            thrice.set()
        if number == 1:
            raise ConflictError(f"{write}: the object has been modified")

    cluster.before = before
    runs.observe(RUN, settled=False, now=0.0)
    task = asyncio.create_task(touch_forever(cluster, runs))
    async with asyncio.timeout(30):
        await thrice.wait()
    task.cancel()
    assert {str(write) for write in cluster.writes} == {f"touch {RUN}"}
