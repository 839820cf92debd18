"""Shards, and pytest-xdist."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .pytest_run import Suite

MODULE = """
import pytest
@pytest.mark.parametrize("number", range(10))
def test_a(number): pass
@pytest.mark.slow
def test_slow(): pass
def test_flaky():
    test_flaky.tries = getattr(test_flaky, "tries", 0) + 1
    assert test_flaky.tries == 2
def test_fails(): assert False, "no"
"""
INI = "[pytest]\nmarkers = slow: takes long\n"


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_shards_are_disjoint_and_complete(suite: Suite, workers: tuple[str, ...]) -> None:
    suite.write(MODULE).write(INI, "pytest.ini").write("def test_other(): pass", "sub/test_other.py")
    runs = [suite.run("-m", "not slow", *workers, shard=shard, shards=3, retries=1) for shard in range(3)]
    collected = [run.of("collected")[0] for run in runs]
    assert {record["total"] for record in collected} == {13}
    assert len({record["digest"] for record in collected}) == 1
    assert sum(record["n"] for record in collected) == 13
    finals = [[record for record in run.of("test") if record.get("final", True)] for run in runs]
    assert [len(tests) for tests in finals] == [record["n"] for record in collected]
    ids = [record["id"] for tests in finals for record in tests]
    assert len(set(ids)) == 13
    assert sorted(run.status for run in runs) == [0, 0, 1]
    flaky = [record for run in runs for record in run.of("test") if record["id"].endswith("test_flaky")]
    assert [(record["a"], record["o"], record.get("final", True)) for record in flaky] == [
        (1, "failed", False),
        (2, "passed", True),
    ]
    failed = [record for run in runs for record in run.of("test") if record["id"].endswith("test_fails")]
    assert [record["a"] for record in failed] == [1, 2]
    assert failed[1]["m"] == "AssertionError: no"
    assert failed[1]["l"] == "test_suite.py:10"
    assert [len(run.of("finish")) for run in runs] == [1, 1, 1]


def test_a_shard_without_tests(suite: Suite) -> None:
    run = suite.write("def test_a(): pass").run(shard=1, shards=2)
    assert (run.of("collected")[0]["n"], run.of("collected")[0]["total"]) == (0, 1)
    assert run.status == 5


def test_a_worker_of_xdist_that_dies_is_the_error_of_its_test(suite: Suite) -> None:
    suite.write("import os\ndef test_a(): pass\ndef test_dies(): os._exit(1)\ndef test_c(): pass")
    run = suite.run("-n", "1", "--max-worker-restart", "1", retries=1)
    assert len(run.of("collected")) == 1
    outcomes = dict(run.attempts("o"))
    assert outcomes == {"test_a": "passed", "test_dies": "error", "test_c": "passed"}
    assert "crashed" in next(record["m"] for record in run.of("test") if record["o"] == "error")
    assert run.status == 1


def test_modules_that_fail_are_told_once_by_xdist(suite: Suite) -> None:
    suite.write("import missing_module", "test_broken.py").write("def test_a(): pass")
    run = suite.run("-n", "2")
    assert [record["id"] for record in run.of("collectError")] == ["test_broken.py"]
    assert run.status != 0
