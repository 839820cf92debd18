"""What the plugin writes about tests, modules and the session."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pytest_seatrial
from pytest_seatrial import ID_BYTES, MESSAGE_BYTES, TEXT_BYTES, Writer, clip, clip_id, writable_cache

if TYPE_CHECKING:
    from .pytest_run import Suite


def test_the_session(suite: Suite) -> None:
    run = suite.write("def test_a(): pass\ndef test_b(): pass").run()
    collected, finish = run.of("collected")[0], run.of("finish")[0]
    ids = ["test_suite.py::test_a", "test_suite.py::test_b"]
    assert (collected["n"], collected["total"]) == (2, 2)
    assert collected["digest"] == hashlib.sha256("\n".join(ids).encode()).hexdigest()
    assert re.fullmatch(r"\d+\.\d+.*", collected["pytest"])
    assert (finish["rc"], finish["ran"]) == (0, 2)
    assert [record["t"] for record in run.records] == ["collected", "test", "test", "finish"]
    assert all(record["at"] <= finish["at"] for record in run.records)


def test_without_its_variable_the_plugin_does_nothing(suite: Suite) -> None:
    run = suite.write("def test_a(): pass").run(records="", retries=3, shards=2)
    assert run.status == 0
    assert run.records == []


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"shards": 0}, "SEATRIAL_SHARDS is '0'; expected a whole number from 1"),
        ({"shard": 2, "shards": 2}, "SEATRIAL_SHARD is 2; expected less than SEATRIAL_SHARDS, which is 2"),
        ({"retries": "many"}, "SEATRIAL_RETRIES is 'many'; expected a whole number from 0"),
        ({"records": "/nonexistent"}, "SEATRIAL_RECORDS: cannot write to /nonexistent"),
    ],
)
def test_wrong_variables_are_a_usage_error(suite: Suite, variables: dict[str, object], message: str) -> None:
    run = suite.write("def test_a(): pass").run(**variables)
    assert run.status == 4
    assert message in run.output
    assert "Traceback" not in run.output


@pytest.mark.parametrize(
    ("source", "begins"),
    [
        (
            "def test_a():\n    one = 1\n    assert one == 2",
            "    def test_a():\n        one = 1\n>       assert one == 2\n",
        ),
        (
            "def test_a():\n    try: 1 / 0\n    except Exception as e: raise OSError from e",
            "    def test_a():\n>       try: 1 / 0\n",
        ),
        ("class TestA:\n    def test_a(self): assert 0", "self = <test_suite.TestA object at "),
    ],
)
def test_the_text_of_a_failure_begins_as_pytest_prints_it(suite: Suite, source: str, begins: str) -> None:
    (record,) = suite.write(source).run().of("test")
    assert record["x"].startswith(begins)


def test_modules_that_fail_or_are_skipped_as_a_whole(suite: Suite) -> None:
    suite.write("import missing_module", "test_broken.py")
    suite.write("import pytest\npytest.skip('Kafka not available', allow_module_level=True)", "sub/test_skipped.py")
    run = suite.write("def test_a(): pass").run()
    error, skip = run.of("collectError")[0], run.of("collectSkip")[0]
    assert (error["id"], error["m"]) == ("test_broken.py", "ModuleNotFoundError: No module named 'missing_module'")
    assert (skip["id"], skip["m"], skip["l"]) == ("sub/test_skipped.py", "Kafka not available", "sub/test_skipped.py:2")
    assert run.of("collected")[0]["n"] == 1
    assert (run.status, run.of("finish")[0]["ran"]) == (2, 0)


@pytest.mark.parametrize(
    ("source", "message", "place"),
    [
        ("def test_a():\n    assert [1] == [2]", "assert [1] == [2]", "test_suite.py:2"),
        ("def test_a():\n    raise ValueError", "ValueError", "test_suite.py:2"),
        ("def test_a():\n    raise ValueError('first\\nsecond')", "ValueError: first", "test_suite.py:2"),
        (
            "import json\ndef test_a():\n    json.loads('{')",
            "json.decoder.JSONDecodeError: Expecting",
            "test_suite.py:3",
        ),
        ("def test_a(absent): pass", "fixture 'absent' not found", "test_suite.py:1"),
        ("import pytest\ndef test_a():\n    pytest.fail('said so', pytrace=False)", "said so", "test_suite.py:[23]"),
        ("def helper():\n    assert 0\ndef test_a():\n    helper()", "assert 0", "test_suite.py:2"),
        ("import sys\ndef test_a():\n    sys.exit(0)", "SystemExit: 0", "test_suite.py:3"),
    ],
)
def test_the_message_and_the_place_of_a_failure(suite: Suite, source: str, message: str, place: str) -> None:
    run = suite.write(source).run()
    ((_, outcome, seen, where),) = run.attempts("o", "m", "l")
    assert outcome in {"failed", "error"}
    assert message in seen
    assert re.fullmatch(place, where)


def test_marks_decide_the_outcome(suite: Suite) -> None:
    suite.write(
        """
import pytest, unittest
@pytest.mark.xfail(reason="not run", run=False)
def test_not_run(): pass
@pytest.mark.skipif(True, reason="only there")
def test_skipif(): pass
@pytest.mark.xfail(raises=ValueError)
def test_wrong_exception(): raise TypeError("other")
@pytest.fixture
def broken():
    yield
    assert False, "teardown"
@pytest.mark.xfail(reason="known")
def test_xfails_and_breaks(broken): assert False
def test_skips_and_breaks(broken): pytest.skip("no")
def test_fails_and_breaks(broken): assert False, "call"
class TestUnit(unittest.TestCase):
    @unittest.skip("unit")
    def test_skip(self): pass
    @unittest.expectedFailure
    def test_expected(self): self.fail()
"""
    )
    run = suite.run()
    assert run.attempts("o", "m") == [
        ("test_not_run", "xfailed", "[NOTRUN] not run"),
        ("test_skipif", "skipped", "only there"),
        ("test_wrong_exception", "failed", "TypeError: other"),
        ("test_xfails_and_breaks", "xfailed", "known"),
        ("test_skips_and_breaks", "error", "AssertionError: teardown"),
        ("test_fails_and_breaks", "failed", "AssertionError: call"),
        ("TestUnit::test_expected", "xfailed", ""),
        ("TestUnit::test_skip", "skipped", "unit"),
    ], run.output
    assert "AssertionError: teardown" in run.of("test")[5]["x"]


def test_ids_of_any_form_stay_unique_and_bounded(suite: Suite) -> None:
    suite.write(
        """
import pytest
values = ["x" * 10_000, "x" * 10_001, "\\0nul", "\\ud800", "é" * 600, "line\\nbreak", "日本 🚀", "", "::", "[x]"]
@pytest.mark.parametrize("value", values, ids=values)
def test_a(value): pass
"""
    )
    suite.write("[pytest]\ndisable_test_id_escaping_and_forfeit_all_rights_to_community_support = true\n", "pytest.ini")
    run = suite.run("-p", "no:cacheprovider")  # the cache cannot hold a lone surrogate
    ids = [record["id"] for record in run.of("test")]
    assert len(set(ids)) == 10
    assert all(len(name.encode()) <= ID_BYTES for name in ids)
    assert "test_suite.py::test_a[日本 🚀]" in ids
    assert "test_suite.py::test_a[\\x00nul]" in ids
    assert "test_suite.py::test_a[\\ud800]" in ids
    assert run.of("collected")[0]["n"] == run.of("finish")[0]["ran"] == 10


def test_the_same_test_twice_is_two_tests(suite: Suite) -> None:
    suite.write("def test_a(): pass")
    suite.write("def pytest_collection_modifyitems(items): items.append(items[0])", "conftest.py")
    run = suite.run()
    assert run.attempts() == [("test_a",), ("test_a (run 2)",)]
    assert run.of("collected")[0]["n"] == 2


def test_texts_are_cut_but_keep_both_ends(suite: Suite) -> None:
    suite.write(
        """
def test_a():
    print("é" * 40_000 + "the end of the output")
    first = 1
    assert False, "🚀" * 1000 + "\\n" + "日本\\n" * 10_000
"""
    )
    (record,) = suite.run().of("test")
    assert len(record["m"].encode()) <= MESSAGE_BYTES
    assert record["m"].startswith("AssertionError: 🚀🚀")
    assert TEXT_BYTES // 2 < len(record["x"].encode()) <= TEXT_BYTES
    assert "first = 1" in record["x"]
    assert "bytes left out" in record["x"]
    assert record["x"].rstrip().endswith("the end of the output")


def test_a_volume_that_fills_up_loses_records_but_not_the_tests(suite: Suite) -> None:
    suite.write("import pytest\n@pytest.mark.parametrize('n', range(50))\ndef test_a(n): pass")
    suite.write(
        """
import resource
def pytest_collection_finish(): resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
""",
        "conftest.py",
    )
    run = suite.run("-p", "no:cacheprovider")
    assert run.status == 0
    assert "records could not be written" in run.output
    assert 0 < len(run.of("test")) < 50


def test_failure_texts_stop_at_their_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pytest_seatrial, "TEXT_BUDGET", 300)
    writer = Writer(str(tmp_path))
    for _ in range(4):
        writer.write({"t": "test", "x": "y" * 200})
    os.close(writer.fd)
    records = [json.loads(line) for line in (tmp_path / "records.jsonl").read_text().splitlines()]
    assert ["x" in record for record in records] == [True, True, False, False]


def test_a_link_in_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "records.jsonl").symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="symbolic link"):
        Writer(str(tmp_path))
    assert not (tmp_path / "target").exists()


def test_processes_that_tests_start_write_nothing(suite: Suite) -> None:
    suite.write(
        """
import os, subprocess, sys
def test_forks():
    if os.fork() == 0:
        raise RuntimeError("a child that runs on into pytest")
    os.wait()
def test_runs_pytest():
    code = "def test_inner(): pass"
    with open("inner.py", "w") as file: file.write(code)
    done = subprocess.run([sys.executable, "-m", "pytest", "-p", "pytest_seatrial", "inner.py"], env=os.environ)
    assert done.returncode == 0
"""
    )
    run = suite.run()
    assert run.attempts("o") == [("test_forks", "passed"), ("test_runs_pytest", "passed")]
    assert len(run.of("finish")) == 1
    assert run.status == 0


def test_an_interrupted_test_is_named(suite: Suite) -> None:
    suite.write(
        """
tries = []
def test_a():
    tries.append(1)
    if len(tries) == 2: raise KeyboardInterrupt
    assert False
def test_b(): pass
"""
    )
    run = suite.run(retries=2)
    assert run.attempts("o", "a", "final") == [("test_a", "failed", 1, False), ("test_a", "error", 2, None)]
    assert run.of("test")[1]["m"].startswith("interrupted after ")
    assert "raise KeyboardInterrupt" in run.of("test")[1]["x"]
    assert run.status == 2


def test_the_cache_goes_elsewhere_when_its_place_is_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_only = tmp_path / "image"
    read_only.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", "/volume")
    # Root may write everywhere; a suite's container is another user on a read-only file system.
    monkeypatch.setattr(os, "access", lambda path, _mode: Path(path) != read_only)
    assert writable_cache(read_only / "deep" / ".pytest_cache") == Path("/volume/pytest_cache")
    assert writable_cache(tmp_path / ".pytest_cache") == tmp_path / ".pytest_cache"


def test_clip_keeps_text_valid() -> None:
    assert clip("aé", 2) == "a"
    assert clip("a\0\ud800", 100) == "a\\x00\\ud800"
    assert clip("x" * 100, 60, 10).startswith("x" * 10 + "\n... 40 bytes left out ...\n")
    assert clip_id("a" * ID_BYTES) == "a" * ID_BYTES
    assert clip_id("é" * 512) == "é" * 512
    assert clip_id("é" * 513) != clip_id("é" * 514)
    assert len(clip_id("🚀" * 9999).encode()) <= ID_BYTES
