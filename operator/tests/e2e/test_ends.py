"""However a suite ends, the run ends with it, says why, and keeps the results so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from .ends import End, error, expect

if TYPE_CHECKING:
    from .kubectl import Tenant

pytestmark = pytest.mark.e2e

DEAF = "import signal, time\nfor number in (signal.SIGINT, signal.SIGTERM): signal.signal(number, signal.SIG_IGN)\n"
FOREVER = "while True: time.sleep(1)"


class Case(NamedTuple):
    """A suite, and how its run ends."""

    source: str
    end: End
    suite: dict[str, Any] = {}  # noqa: RUF012  (not changed)
    conftest: str = ""


CASES = {
    "exit-code-0-before-the-end": Case(
        "import os\ndef test_one(): pass\ndef test_two(): os._exit(0)\ndef test_three(): pass\n",
        error("Incomplete", "exit code 0 before pytest did", "1 of 3", passed="1/3"),
    ),
    "pytest-exit-with-code-0": Case(
        "import pytest\ndef test_one(): pass\ndef test_two(): pytest.exit('x', returncode=0)\n",
        error("Incomplete", "exit code 0", "1 of 2", passed="1/2"),
    ),
    "interrupted-from-within": Case(
        "def test_one(): pass\ndef test_two(): raise KeyboardInterrupt\n",
        error("Interrupted", "exit code 2", "KeyboardInterrupt", passed="1/2"),
    ),
    "segmentation-fault": Case(
        "import ctypes\ndef test_one(): pass\ndef test_two(): ctypes.string_at(0)\n",
        error("SuiteCrashed", "SIGSEGV", "1 of 2", "Segmentation fault", "in test_two", passed="1/2"),
    ),
    "killed-by-itself": Case(
        "import os\ndef test_one(): pass\ndef test_two(): os.kill(os.getpid(), 9)\n",
        error("SuiteCrashed", "SIGKILL", "1 of 2", passed="1/2"),
    ),
    "its-supervisor-killed": Case(
        "import os, time\ndef test_one(): pass\ndef test_two(): os.kill(1, 15); time.sleep(60)\n",
        error("Terminated", "asked to stop", passed="1/2"),
    ),
    "out-of-memory": Case(
        "def test_one(): pass\ndef test_two(): bytearray(b'x') * (1 << 30)\n",
        error("OOMKilled", "limit", "1 of 2", passed="1/2"),
        {"resources": {"limits": {"memory": "160Mi"}}},
    ),
    "hang": Case(
        "import threading\ndef test_one(): pass\ndef test_two(): threading.Event().wait()\n",
        error(
            "SuiteTimeout",
            "still running 2 s after the gate opened",
            "test_it.py::test_two: interrupted after",
            passed="1/2",
        ),
        {"timeout": "2s"},
    ),
    "hang-deaf-to-signals": Case(
        f"{DEAF}def test_one(): pass\ndef test_two():\n    {FOREVER}\n",
        error("SuiteTimeout", "still running 2 s after the gate opened", "1 of 2", "in test_two", passed="1/2"),
        {"timeout": "2s"},
    ),
    "hang-in-a-teardown-deaf-to-signals": Case(
        f"import pytest\n{DEAF}@pytest.fixture\ndef it():\n    yield\n    {FOREVER}\n"
        "def test_one(): pass\ndef test_two(it): pass\n",
        error("SuiteTimeout", "still running 2 s after the gate opened", "1 of 2", "in it", passed="1/2"),
        {"timeout": "2s"},
    ),
    "hang-while-collecting": Case(
        f"import time\n{FOREVER}\n",
        error("SuiteTimeout", "still running 2 s after the gate opened", "no test was collected"),
        {"timeout": "2s"},
    ),
    "no-tests": Case("x = 1\n", error("NoTestsCollected", "exit code 5")),
    "no-tests-of-that-name": Case(
        "def test_one(): pass\n", error("NoTestsCollected", "keyword"), {"pytest": {"keyword": "two"}}
    ),
    "collection-error": Case(
        "import not_there\ndef test_one(): pass\n",
        error("CollectionError", "test_it.py", "No module named 'not_there'"),
    ),
    "usage-error": Case(
        "def test_one(): pass\n",
        error("UsageError", "--no-such-option"),
        {"pytest": {"args": ["--no-such-option"]}},
    ),
    "a-path-that-is-not-there": Case(
        "def test_one(): pass\n",
        error("UsageError", "file or directory not found: test_orders.py"),
        {"pytest": {"paths": ["test_orders.py"]}},
    ),
    "a-conftest-that-cannot-be-imported": Case(
        "def test_one(): pass\n",
        error("UsageError", "No module named 'not_there'"),
        conftest="import not_there\n",
    ),
    "a-plugin-that-fails": Case(
        "def test_one(): pass\n",
        error("PytestInternalError", "the plugin is broken"),
        conftest="def pytest_collection_finish(): raise RuntimeError('the plugin is broken')\n",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_end(name: str, tenant: Tenant) -> None:
    case = CASES[name]
    files = {"conftest_py": case.conftest} if case.conftest else {}
    tenant.config_map("tests", test_it_py=case.source, **files)
    tenant.run(name, suites=[{"name": "it", "testsFrom": {"configMapRef": {"name": "tests"}}, **case.suite}])
    expect(tenant, name, case.end)
