"""When a deliberate bug counts as noticed."""

import runpy
from pathlib import Path

import pytest

from hack.local_run import ROOT
from hack.mutants import not_failed

TABLES = sorted((ROOT / "suites").glob("*/mutations.py"))


@pytest.mark.parametrize(
    ("failures", "missed"),
    [
        ([], ["test_file.py::test_one", "test_two"]),
        ([("failed", "test_file.py::test_one[a]"), ("failed", "test_file.py::TestIt::test_two")], []),
        ([("error", "test_file.py::test_one"), ("failed", "test_file.py::test_two")], ["test_file.py::test_one"]),
        ([("failed", "test_other.py::test_one"), ("failed", "test_two")], ["test_file.py::test_one"]),
    ],
)
def test_only_failures_of_the_named_tests_count(failures: list[tuple[str, str]], missed: list[str]) -> None:
    status = {"phase": "Failed", "failures": [{"outcome": outcome, "id": name} for outcome, name in failures]}
    assert not_failed(("test_file.py::test_one", "test_two"), status) == missed


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.parent.name)
def test_every_bug_has_tests_that_notice_it(path: Path) -> None:
    noticed_by = runpy.run_path(str(path))["NOTICED_BY"]
    (bugs,) = {type(bug) for bug in noticed_by}
    assert set(noticed_by) == {bug for bug in bugs if bug}
