"""Failing tests run again, in a clean state, and pytest's exit status is that of the last attempts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .pytest_run import Suite


def test_every_attempt_is_told(suite: Suite) -> None:
    suite.write(
        """
import pytest
tries = []
def test_passes(): pass
def test_flaky():
    tries.append(1)
    print("attempt", len(tries))
    assert len(tries) == 2
def test_fails(): assert False
def test_skips(): pytest.skip("no")
"""
    )
    run = suite.run(retries=2)
    assert run.attempts("o", "a", "final") == [
        ("test_passes", "passed", 1, None),
        ("test_flaky", "failed", 1, False),
        ("test_flaky", "passed", 2, None),
        ("test_fails", "failed", 1, False),
        ("test_fails", "failed", 2, False),
        ("test_fails", "failed", 3, None),
        ("test_skips", "skipped", 1, None),
    ]
    assert run.status == 1
    assert run.of("finish")[0]["ran"] == 4
    assert "1 failed, 2 passed, 1 skipped, 3 retried" in run.output
    assert "attempt 1" in run.of("test")[1]["x"]


def test_a_pass_in_the_end_is_exit_status_0(suite: Suite) -> None:
    suite.write("tries = []\ndef test_flaky():\n    tries.append(1)\n    assert len(tries) == 2")
    assert suite.run(retries=1).status == 0
    assert suite.run("-x", retries=1).status == 0
    assert suite.run("-x", retries=0).status == 1


def test_setup_and_teardown_are_retried_with_fresh_fixtures(suite: Suite) -> None:
    suite.write(
        """
import pytest
log = []
@pytest.fixture
def fresh():
    log.append("up")
    yield len(log)
    log.append("down")
@pytest.fixture
def unstable_setup():
    log.append("try")
    if log.count("try") == 1: raise ConnectionError("refused")
def test_setup(fresh, unstable_setup): assert log == ["up", "try", "down", "up", "try"]
closes = []
@pytest.fixture
def unstable_teardown():
    yield
    closes.append(1)
    assert len(closes) == 2, "not closed"
def test_teardown(unstable_teardown): pass
"""
    )
    run = suite.run(retries=1)
    assert run.attempts("o", "m", "final") == [
        ("test_setup", "error", "ConnectionError: refused", False),
        ("test_setup", "passed", None, None),
        ("test_teardown", "error", "AssertionError: not closed", False),
        ("test_teardown", "passed", None, None),
    ]
    assert run.status == 0


def test_fixtures_of_wider_scope_stay_unless_they_failed(suite: Suite) -> None:
    suite.write(
        """
import pytest
log = []
@pytest.fixture(scope="session")
def session():
    log.append("session")
    yield
    log.append("session closed")
@pytest.fixture(scope="module")
def module():
    log.append("module")
    yield
    log.append("module closed")
@pytest.fixture(scope="module")
def unstable(request):
    request.addfinalizer(lambda: log.append("unstable closed"))
    log.append("unstable")
    assert log.count("unstable") > 2, "not yet"
def test_exhausted(unstable): pass
def test_module_fixture_that_failed_is_made_again(unstable): pass
def test_last_of_its_module(session, module):
    log.append("test")
    assert log.count("test") == 2
def test_last_dynamic(request):
    request.getfixturevalue("module")
    log.append("dynamic")
    assert log.count("dynamic") == 2
    print("LOG", log)
    assert log.count("session") == log.count("module") == 1
    assert log.count("unstable") == 3
    assert log.count("unstable closed") == 2
""",
        "test_a.py",
    )
    suite.write("from test_a import log\ndef test_after(): assert log[-3:].count('module closed') == 1", "test_b.py")
    run = suite.run(retries=1)
    assert run.attempts("o", "a") == [
        ("test_exhausted", "error", 1),
        ("test_exhausted", "error", 2),
        ("test_module_fixture_that_failed_is_made_again", "error", 1),
        ("test_module_fixture_that_failed_is_made_again", "passed", 2),
        ("test_last_of_its_module", "failed", 1),
        ("test_last_of_its_module", "passed", 2),
        ("test_last_dynamic", "failed", 1),
        ("test_last_dynamic", "passed", 2),
        ("test_after", "passed", 1),
    ], run.output


def test_classes_get_a_new_instance(suite: Suite) -> None:
    suite.write(
        """
import unittest
tries = []
class TestPlain:
    def test_flaky(self):
        assert not hasattr(self, "used")
        self.used = True
        tries.append(1)
        assert len(tries) == 2
class TestUnit(unittest.TestCase):
    tries = []
    def setUp(self): self.log = []
    def test_flaky(self):
        self.log.append(1)
        self.tries.append(1)
        self.assertEqual(self.log, [1])
        self.assertEqual(len(self.tries), 2)
"""
    )
    run = suite.run(retries=1)
    assert [attempt[1:] for attempt in run.attempts("o", "m")] == [
        ("failed", "assert 1 == 2"),
        ("passed", None),
        ("failed", "AssertionError: 1 != 2"),
        ("passed", None),
    ]
    assert run.status == 0


def test_output_of_earlier_attempts_is_not_repeated(suite: Suite) -> None:
    suite.write("tries = []\ndef test_fails():\n    tries.append(1)\n    print('attempt', len(tries))\n    assert 0")
    first, second = suite.run(retries=1).of("test")
    assert "attempt 1" in first["x"]
    assert "attempt 1" not in second["x"]
    assert "attempt 2" in second["x"]


def test_maxfail_stops_and_closes_fixtures(suite: Suite) -> None:
    suite.write(
        """
import pytest
@pytest.fixture(scope="module", autouse=True)
def module():
    yield
    raise RuntimeError("told with the failing test, before the session ends")
def test_fails(): assert False
def test_not_run(): pass
"""
    )
    run = suite.run("-x", retries=1)
    assert run.of("collected")[0]["n"] == 2
    assert run.attempts("o", "final") == [("test_fails", "failed", False), ("test_fails", "failed", None)]
    # Before version 8.2 pytest itself tears the module down after it has reported the test.
    assert "told with the failing test" in run.of("test")[1]["x"] + run.output
    assert run.status == 1


def test_a_failed_subtest_is_a_failure_of_its_test(suite: Suite) -> None:
    suite.write(
        """
import unittest
class TestParts(unittest.TestCase):
    def test_parts(self):
        for number in range(3):
            with self.subTest(number=number):
                self.assertNotEqual(number, 1)
"""
    )
    run = suite.run(retries=0)
    assert run.status == 1
    assert run.attempts("o", "final") == [("TestParts::test_parts", "failed", None)]
    run = suite.run(retries=1)
    assert run.status == 1
    assert run.attempts("o", "final")[-1] == ("TestParts::test_parts", "failed", None)


def test_plugins_that_wrap_or_retry_tests_go_on_working(suite: Suite) -> None:
    suite.write(
        """
import asyncio, pytest
tries = []
@pytest.mark.asyncio
async def test_coroutine():
    tries.append(1)
    await asyncio.sleep(0)
    assert len(tries) == 2
class TestAsync:
    @pytest.mark.asyncio
    async def test_method(self):
        assert not hasattr(self, "used")
        self.used = True
        tries.append(1)
        assert len(tries) == 4
@pytest.mark.timeout(20)
def test_with_timeout():
    tries.append(1)
    assert len(tries) == 6
"""
    )
    run = suite.run(retries=1)
    assert run.attempts("o") == [
        (name, outcome)
        for name in ("test_coroutine", "TestAsync::test_method", "test_with_timeout")
        for outcome in ("failed", "passed")
    ], run.output
    assert run.status == 0


def test_attempts_of_rerunfailures_are_told_too(suite: Suite) -> None:
    suite.write("tries = []\ndef test_flaky():\n    tries.append(1)\n    assert len(tries) == 2")
    run = suite.run("--reruns", "2", retries=0)
    assert run.attempts("o", "a", "final") == [("test_flaky", "failed", 1, False), ("test_flaky", "passed", 2, None)]
    assert run.status == 0
    run = suite.run("--reruns", "2", retries=1)
    assert run.attempts("o", "a", "final") == [("test_flaky", "failed", 1, False), ("test_flaky", "passed", 2, None)]
    assert run.status == 0
