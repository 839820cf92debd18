"""What the operator decides by itself at kopf's edge; the rest of it is seen end to end."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from seatrial.handlers import WEDGED_SECONDS, _has_work, probe_runs, read_inpod_files


def conditions(finished: str, cleaned: str) -> dict[str, Any]:
    return {"conditions": [{"type": "Finished", "status": finished}, {"type": "EnvironmentCleaned", "status": cleaned}]}


@pytest.mark.parametrize(
    ("status", "meta", "has_work"),
    [
        ({}, {}, True),
        ({"observedGeneration": -1}, {}, True),
        (conditions("False", "False"), {}, True),
        (conditions("True", "False"), {}, True),
        (conditions("True", "True"), {}, False),
        ({}, {"deletionTimestamp": "2026-01-01T00:00:00Z"}, False),
    ],
)
def test_a_run_has_work_until_it_is_over_and_clean(status: Any, meta: Any, has_work: bool) -> None:  # noqa: FBT001
    assert _has_work(status=status, meta=meta) is has_work


def test_suite_images_get_the_supervisor_and_the_plugin() -> None:
    files = read_inpod_files()
    assert set(files) == {"supervisor.py", "pytest_seatrial.py"}
    for name, source in files.items():
        compile(source, name, "exec")
    assert sum(len(source) for source in files.values()) < 1 << 20  # of a ConfigMap


async def test_the_probe_fails_when_a_run_is_not_looked_at() -> None:
    run = SimpleNamespace(id="team/orders", last_pass=time.monotonic())
    memo = SimpleNamespace(operator=SimpleNamespace(runs={"uid": run}))
    assert await probe_runs(memo=memo) == 1
    run.last_pass -= WEDGED_SECONDS + 1
    with pytest.raises(RuntimeError, match="team/orders"):
        await probe_runs(memo=memo)
