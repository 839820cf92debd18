"""The commands against a real cluster with the operator in it, as people call them."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from xml.etree import ElementTree as ET

import pytest

from .kubectl import ROOT, eventually, get, kubectl, kubectl_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .kubectl import Tenant

pytestmark = pytest.mark.e2e

HANG = "import threading\ndef test_one(): pass\ndef test_two(): threading.Event().wait()\n"
RETAINED = {"onSuccess": "10m", "onFailure": "10m"}


class Answer(NamedTuple):
    """What a command said."""

    code: int
    out: str
    err: str


class Cli:
    """`seatrial` with the tenant's namespace, and without any local run."""

    def __init__(self, tenant: Tenant, home: Path) -> None:
        self.tenant = tenant
        self.environment = {
            "KUBECONFIG": str(ROOT / ".cluster" / "kubeconfig"),
            **os.environ,
            "XDG_STATE_HOME": str(home),
            "PATH": f"{Path(kubectl_path()).parent}:{os.environ['PATH']}",
        }

    def command(self, *arguments: str, namespace: bool = True) -> list[str]:
        name, *rest = arguments
        where = ["-n", self.tenant.namespace] if namespace else []
        return [sys.executable, "-m", "seatrial.cli", name, *where, *rest]

    def __call__(self, *arguments: str, namespace: bool = True, seconds: float = 120) -> Answer:
        done = subprocess.run(
            self.command(*arguments, namespace=namespace),
            env=self.environment, capture_output=True, text=True, timeout=seconds, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        return Answer(done.returncode, done.stdout, done.stderr)

    def ok(self, *arguments: str, namespace: bool = True) -> str:
        """Standard output of a command that must succeed."""
        answer = self(*arguments, namespace=namespace)
        assert answer.code == 0, answer
        return answer.out

    @contextmanager
    def started(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """A command that goes on; it is ended in the end."""
        process = subprocess.Popen(
            self.command(*arguments), env=self.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        with process:
            try:
                yield process
            finally:
                process.kill()


@pytest.fixture
def cli(tenant: Tenant, tmp_path: Path) -> Cli:
    return Cli(tenant, tmp_path)


def apply_example(tenant: Tenant, name: str) -> None:
    kubectl("apply", "-n", tenant.namespace, "-f", str(ROOT / "examples" / f"{name}.yaml"))


def test_a_run_that_passes(tenant: Tenant, cli: Cli) -> None:
    apply_example(tenant, "quickstart")
    answer = cli("wait", "quickstart", "--timeout", "2m")
    assert answer.code == 0, answer
    assert re.fullmatch(r"quickstart: Passed, 4 passed in [\d.]+m?s\n", answer.out)
    told = answer.err.splitlines()
    assert len(told) == len(set(told)), "no line twice"
    assert any(re.fullmatch(r"redis ready after [\d.]+s", line) for line in told), told
    assert any(line.startswith("suite counter Passed, 4 passed") for line in told), told

    again = cli("wait", "quickstart", "-o", "json")
    assert (again.code, json.loads(again.out)["status"]["phase"]) == (0, "Passed")

    listed = cli.ok("status").splitlines()
    assert [line.split()[:3] for line in listed] == [["NAME", "PHASE", "PASSED"], ["quickstart", "Passed", "4/4"]]
    everywhere = json.loads(cli.ok("status", "-A", "-o", "json", namespace=False))
    assert (tenant.namespace, "quickstart") in {
        (item["metadata"]["namespace"], item["metadata"]["name"]) for item in everywhere["items"]
    }
    assert cli("status", "-l", "team=nobody").err.startswith("no TestRuns in namespace")
    page = cli.ok("status", "quickstart")
    for part in ("Phase:       Passed", "redis", "counter   Passed   4/4", "first test"):
        assert part in page

    gone = cli("shell", "quickstart", "--", "true")
    assert gone.code == 2
    assert "retention: {onSuccess: 30m}" in gone.err
    assert "results quickstart --failed" in cli("logs", "quickstart").err


def test_a_run_that_fails(tenant: Tenant, cli: Cli) -> None:
    apply_example(tenant, "red")
    answer = cli("wait", "red")
    assert answer.code == 1, answer
    assert "FAILED test_outcomes.py::test_fails (" in answer.err
    assert answer.out.startswith("red: Failed, 2 passed, 1 failed, 1 errors, 1 skipped, 1 xfailed, 1 flaky")

    table = cli.ok("results", "red")
    assert len(table.splitlines()) == 1 + 6 + 2
    failed = json.loads(cli.ok("results", "red", "--failed", "-o", "json"))
    assert sorted(test["id"] for test in failed["tests"]) == [
        "test_outcomes.py::test_errors",
        "test_outcomes.py::test_fails",
    ]
    flaky = json.loads(cli.ok("results", "red", "--flaky", "-o", "json"))
    assert [len(test["attempts"]) for test in flaky["tests"]] == [2]
    assert len(cli.ok("results", "red", "--slowest", "2").splitlines()) == 1 + 2 + 2
    xml = ET.fromstring(cli.ok("results", "red", "-o", "junit"))  # noqa: S314  (our own)
    assert len(list(xml.iter("testcase"))) >= 6
    assert json.loads(cli.ok("results", "red", "-o", "ctrf"))["results"]["summary"]["tests"] == 6
    assert "::error" in cli.ok("results", "red", "-o", "github")

    log = cli.ok("logs", "red", "--test", "test_fails")
    assert "the position is not delta-neutral" in log
    assert cli("logs", "red", "--test", "test_fail").err.startswith(
        "error: red has no result of a test test_fail; did you mean"
    )


def test_once_more_what_failed(tenant: Tenant, cli: Cli) -> None:
    apply_example(tenant, "red")
    assert cli("wait", "red").code == 1
    answer = cli("rerun", "red", "--failed", "--wait")
    assert answer.code == 1, answer
    name = answer.out.partition(":")[0]
    assert name.startswith("red-")
    assert "1 failed, 1 errors" in answer.out
    again = tenant.get(name)
    assert again["metadata"]["labels"]["seatrial.dev/rerun-of"] == "red"
    assert again["status"]["summary"]["total"] == 2

    whole = cli.ok("rerun", name).strip()
    assert whole.startswith("red-")
    assert whole != name
    assert cli("wait", whole).code == 1

    difference = cli("diff", "red", name, "-o", "json")
    found = json.loads(difference.out)
    assert difference.code == 0
    assert [len(found[key]) for key in ("newlyFailing", "stillFailing", "removed", "new")] == [0, 2, 4, 0]

    answer = cli("clean", "-l", "seatrial.dev/rerun-of", "--yes")
    assert sorted(answer.out.splitlines()) == sorted(f"{tenant.namespace}/{item} deleted" for item in (name, whole))
    assert cli("clean", "red", "--yes").code == 0
    assert get("testrun", "red", tenant.namespace) is None
    assert cli("clean", "--finished", "--yes").out == "nothing to delete\n"


def test_a_test_that_newly_fails(tenant: Tenant, cli: Cli) -> None:
    tenant.tests("before", "def test_one(): pass\ndef test_two(): pass\n")
    tenant.tests("after", "def test_one(): assert False\ndef test_three(): pass\n")
    for name in ("before", "after"):
        tenant.run(name)
    assert (cli("wait", "before").code, cli("wait", "after").code) == (0, 1)
    answer = cli("diff", "before", "after")
    assert answer.code == 1
    assert answer.out.splitlines()[:4] == [
        "before (Passed) -> after (Failed)", "", "Newly failing (1):", "  it: test_it.py::test_one  assert False",
    ]  # fmt: skip
    assert cli("diff", "after", "before").code == 0


def test_inside_an_environment(tenant: Tenant, cli: Cli) -> None:
    tenant.tests("kept", "def test_one(): print('said by the test')\n")
    suite = {"name": "it", "testsFrom": {"configMapRef": {"name": "kept"}}, "pytest": {"args": ["-s"]}}
    tenant.run("kept", services={"redis": {}}, suites=[suite], retention=RETAINED)
    assert cli("wait", "kept").code == 0

    assert "Ready to accept connections" in cli.ok("logs", "kept", "--service", "redis")
    assert "said by the test" in cli.ok("logs", "kept")
    assert "said by the test" in cli.ok("logs", "kept", "--suite", "it", "--shard", "0")
    wrong = cli("logs", "kept", "--service", "kafka")
    assert (wrong.code, "it has: redis" in wrong.err) == (3, True)

    assert cli.ok("shell", "kept", "--service", "redis", "--", "sh", "-c", "echo $REDIS_PASSWORD").strip()
    assert cli.ok("shell", "kept", "--", "echo", "hello").strip() == "hello"
    failing = cli("shell", "kept", "--", "sh", "-c", "exit 7")
    assert failing.code == 7
    assert "suites end with their tests" in cli("shell", "kept", "--suite", "it").err

    with cli.started("port-forward", "kept", "redis", ":6379") as forward:
        assert forward.stdout is not None
        port = int(re.findall(r"127.0.0.1:(\d+)", forward.stdout.readline())[0])
        with socket.create_connection(("127.0.0.1", port), 10) as connection:
            connection.sendall(b"PING\r\n")
            assert connection.recv(64).startswith(b"-NOAUTH")

    assert re.search(r"kept until \d{4}-\d\d-\d\d ", cli.ok("extend", "kept", "30m"))
    assert tenant.get("kept")["spec"]["retention"] == {"onSuccess": "40m", "onFailure": "40m"}


def test_while_a_run_goes_on(tenant: Tenant, cli: Cli) -> None:
    tenant.tests("hang", HANG)
    tenant.run("hang", retention={"onFailure": "0s"})
    tenant.in_phase("hang", "Running")
    late = cli("wait", "hang", "--timeout", "1s")
    assert late.code == 2
    assert "was not over after 1 s (Running" in late.err
    assert cli.ok("shell", "hang", "--", "echo", "inside").strip() == "inside"

    with cli.started("wait", "hang") as waiting:
        assert waiting.stderr is not None
        assert waiting.stderr.readline()
        waiting.send_signal(signal.SIGINT)
        assert waiting.wait(20) == 130
        assert "seatrial cancel hang" in waiting.stderr.read()

    with cli.started("logs", "hang", "-f") as following, cli.started("wait", "hang") as waiting:
        assert following.stdout is not None
        assert waiting.stderr is not None
        assert waiting.stderr.readline()
        assert cli.ok("cancel", "hang", "--wait").startswith("hang: ")
        assert waiting.wait(30) == 2
        assert following.wait(30) == 0
    over = cli("cancel", "hang")
    assert (over.code, "is over already (Cancelled)" in over.err) == (2, True)


def test_deleted_while_it_is_waited_for(tenant: Tenant, cli: Cli) -> None:
    tenant.tests("hang", HANG)
    tenant.run("hang")
    tenant.in_phase("hang", "Running")
    with cli.started("wait", "hang") as waiting:
        assert waiting.stderr is not None
        assert waiting.stderr.readline()
        tenant.delete("hang")
        assert waiting.wait(30) == 2
        assert "delete" in waiting.stderr.read()


def test_nothing_of_that_name(cli: Cli) -> None:
    for arguments in (["wait", "nix"], ["status", "nix"], ["results", "nix"], ["cancel", "nix"], ["rerun", "nix"]):
        answer = cli(*arguments)
        assert (answer.code, answer.out) == (2, "")
        assert "there is no TestRun" in answer.err
        assert "nix" in answer.err


def test_applied_and_followed(tenant: Tenant, cli: Cli) -> None:
    run = ("run", "--cluster", str(ROOT / "examples/quickstart.yaml"))
    first = cli(*run)
    assert first.code == 0, first.err
    assert first.out.startswith("quickstart: Passed, 4 passed")
    second = cli(*run)
    assert second.code == 2
    assert "is over already (Passed), and one TestRun is one execution" in second.err
    assert cli("clean", "quickstart", "--yes").code == 0
    eventually("it is gone", lambda: get("testrun", "quickstart", tenant.namespace) is None)
    assert cli(*run).code == 0
