"""Each deliberate bug of the service turns the tests red that are meant to notice it, and only a bug does."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from tbot.bugs import Bug

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = [pytest.mark.mutation, pytest.mark.timeout(300)]
TESTS = Path(__file__).parents[1]
ENHANCED = "integration/infrastructure/test_idempotency_enhanced.py"
METRICS = "integration/infrastructure/test_metrics.py"
REDIS = "resilience/test_redis_failures.py"
PROCESS = "resilience/test_process.py"

NOTICED_BY: Mapping[Bug, tuple[str, ...]] = {
    Bug.FLOAT_TOTAL: (f"{ENHANCED}::test_financial_precision_of_28_digits",),
    Bug.HASH_WITH_CLIENT_ID: (
        f"{ENHANCED}::test_high_frequency_trading_stress",
        f"{ENHANCED}::test_concurrent_same_content",
    ),
    Bug.HASH_WITHOUT_PRICE: (f"{ENHANCED}::test_order_modification_detection",),
    Bug.REDIS_FORGOTTEN: (
        f"{ENHANCED}::test_database_persistence_verification",
        f"{REDIS}::test_unreadable_entry_is_replaced",
    ),
    Bug.NO_FALLBACK: (f"{ENHANCED}::test_redis_failure_fallback", f"{REDIS}::test_stopped_and_started_again"),
    Bug.REDIS_BEFORE_COMMIT: (f"{PROCESS}::TestKill::test_in_the_middle_of_the_transaction",),
    Bug.CHECK_THEN_INSERT: (f"{PROCESS}::TestPostgres::test_two_at_the_same_moment",),
    Bug.METRICS_FORGOTTEN: (f"{METRICS}::TestMetrics::test_every_order_is_a_point",),
}


def test_every_bug_is_looked_for() -> None:
    assert set(NOTICED_BY) == set(Bug)


@pytest.mark.parametrize("bug", Bug)
async def test_bug_is_noticed(bug: Bug, tmp_path: Path) -> None:
    outcomes = await _outcomes(NOTICED_BY[bug], tmp_path, {"TBOT_BUG": bug.value})
    assert outcomes == dict.fromkeys(outcomes, "failed")
    assert len(outcomes) == len(NOTICED_BY[bug])


async def test_without_a_bug_all_of_them_pass(tmp_path: Path) -> None:
    """So that it is the bug that was noticed."""
    tests = tuple(sorted({test for tests in NOTICED_BY.values() for test in tests}))
    outcomes = await _outcomes(tests, tmp_path, {})
    assert outcomes == dict.fromkeys(outcomes, "passed")
    assert len(outcomes) == len(tests)


async def _outcomes(tests: tuple[str, ...], folder: Path, more: Mapping[str, str]) -> dict[str, str]:
    """Run tests in a process of their own; passed, failed or error by name."""
    report = folder / "report.xml"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SEATRIAL_", "PYTEST_"))}
    command = [sys.executable, "-m", "pytest", "-q", f"--junit-xml={report}", f"--basetemp={folder / 'base'}", *tests]
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=TESTS,
        env=kept | {"SUITE_DEADLINE_SECONDS": "5", **more},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await process.communicate()
    finally:  # also when this test is ended by its time limit
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode in {0, 1}, f"pytest could not run them:\n{output.decode()}"
    outcomes = {}
    for case in ET.parse(report).getroot().iter("testcase"):  # noqa: S314  (our own)
        kinds = [child.tag for child in case if child.tag in {"failure", "error", "skipped"}]
        name = f"{case.get('classname')}::{case.get('name')}"
        outcomes[name] = {"failure": "failed"}.get(kinds[0], kinds[0]) if kinds else "passed"
    print(output.decode()[-4000:])
    return outcomes
