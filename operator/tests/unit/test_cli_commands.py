"""What commands decide before and after they have talked to a cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from seatrial.api import parse_spec
from seatrial.cli.again import MAX_PATHS, ORIGIN_ANNOTATION, ORIGIN_LABEL, again
from seatrial.cli.applying import read_objects
from seatrial.cli.attempts_log import attempts_log
from seatrial.cli.cases import cases
from seatrial.cli.commands.clean import choose
from seatrial.cli.commands.extend import extended, told
from seatrial.cli.commands.results import Format, render
from seatrial.cli.comparison import as_json, as_lines, compare
from seatrial.cli.describe import describe, list_runs
from seatrial.cli.durations import api_duration, seconds_of_duration
from seatrial.cli.environment import Part, check_known, environment_of, is_running, named_part, run_kubectl, selector
from seatrial.cli.exits import CliError, Exit, exit_of
from seatrial.cli.local_logs import files_of
from seatrial.cli.options import Where
from seatrial.cli.result_table import select
from seatrial.cli.screen import age, columns

from ..sample_records import START, at, attempt, hostile, mixed, piece, record

if TYPE_CHECKING:
    from seatrial.cli.record import RunRecord

Object = dict[str, Any]


def conditions(finished: str, succeeded: str = "Unknown", reason: str = "", **more: Object) -> list[Object]:
    return [
        {"type": "Finished", "status": finished, "reason": reason},
        {"type": "Succeeded", "status": succeeded, "reason": reason},
        *({"type": kind, **members} for kind, members in more.items()),
    ]


GONE = {"EnvironmentCleaned": {"status": "True", "reason": "Deleted", "message": "the environment is deleted"}}
KEPT = {"EnvironmentCleaned": {"status": "False", "reason": "Retained", "message": "kept until noon"}}
PASSED = {"conditions": conditions("True", "True", "AllTestsPassed", **KEPT), "namespace": "seatrial-a"}
FAILED = {"conditions": conditions("True", "False", "TestsFailed", **KEPT), "namespace": "seatrial-a"}


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ({}, None),
        ({"phase": "Passed"}, None),  # the phase is for people
        ({"conditions": conditions("False")}, None),
        ({"conditions": conditions("True", "True", "AllTestsPassed")}, Exit.PASSED),
        ({"conditions": conditions("True", "False", "TestsFailed")}, Exit.FAILED),
        ({"conditions": conditions("True", "False", "ServiceFailed")}, Exit.CANNOT_ASK),
        ({"conditions": conditions("True", "False", "Cancelled")}, Exit.CANNOT_ASK),
        ({"conditions": conditions("True")}, Exit.CANNOT_ASK),
    ],
)
def test_the_exit_code_of_a_status(status: Object, code: Exit | None) -> None:
    assert exit_of(status) == code


@pytest.mark.parametrize(
    ("text", "seconds"), [("45s", 45), ("1h30m", 5400), ("2d", 172_800), ("1d1h1m1s", 90_061), ("0s", 0)]
)
def test_durations(text: str, seconds: int) -> None:
    assert seconds_of_duration(text, "--timeout") == seconds
    assert seconds_of_duration(api_duration(seconds), "") == seconds


@pytest.mark.parametrize("text", ["", "1", "h", "1.5h", "-1s", "1s1m", "1 s", "1234567s", "ten"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(CliError, match=r"--timeout: .* is not a duration") as caught:
        seconds_of_duration(text, "--timeout")
    assert caught.value.exit is Exit.USAGE


def test_columns() -> None:
    assert columns([["NAME", "PHASE"], ["a", "Passed"], ["longer", ""]]) == [
        "NAME     PHASE",
        "a        Passed",
        "longer",
    ]
    assert columns([]) == []
    assert columns([["a\nb\x1b[2J"]]) == ["a b"]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0s"), (119, "119s"), (120, "2m"), (7199, "119m"), (7200, "2h"), (172_800, "2d"), (-5, "0s")],
)
def test_ages(seconds: float, shown: str) -> None:
    assert age(at(0), START + seconds) == shown


# status


def run(name: str = "orders", status: Object | None = None, created: float = 0.0, **spec: Any) -> Object:
    return {
        "apiVersion": "seatrial.dev/v1alpha1",
        "kind": "TestRun",
        "metadata": {"name": name, "namespace": "team", "uid": f"uid-{name}", "creationTimestamp": at(created)},
        "spec": {"suites": [{"name": "core"}]} | spec,
        "status": status or {},
    }


def test_the_table_of_runs() -> None:
    done = {"phase": "Failed", "passed": "3/4", "duration": "7.1s", "summary": {"failed": 1, "flaky": 0}}
    found = list_runs([run("b", created=60), run("a", done)], START + 180, namespaces=False)
    assert [line.split() for line in found] == [
        ["NAME", "PHASE", "PASSED", "FAILED", "FLAKY", "DURATION", "AGE"],
        ["a", "Failed", "3/4", "1", "0", "7.1s", "3m"],
        ["b", "2m"],
    ]
    assert list_runs([run("a")], START, namespaces=True)[1].split()[:2] == ["team", "a"]


def test_one_run_in_full() -> None:
    text = "\n".join(describe(with_status(mixed(), failures=[
        {"suite": "core", "id": f"tests/test_core.py::test_{number}", "outcome": "failed",
         "message": "it is 4\nnot 5", "location": "tests/test_core.py:20"} for number in range(12)
    ]).run, START + 100))  # fmt: skip
    for part in (
        "Phase:       Failed", "Reason:      TestsFailed", "2 of 10 tests failed", "1 failed, 2 errors", "kafka",
        "1.8s", "position-manager   yes", "core   Failed", "environment ready", "+2.5s", "verdict",
        "FAILED core: tests/test_core.py::test_0  tests/test_core.py:20", "    not 5",
        "and 2 more: seatrial results position-manager --failed",
    ):  # fmt: skip
        assert part in text, text


def with_status(found: RunRecord, **status: Any) -> RunRecord:
    return replace(found, run={**found.run, "status": {**found.run["status"], **status}})


def test_a_run_that_nobody_has_seen() -> None:
    assert "no operator has seen the run yet" in "\n".join(describe(run(), START))


def test_no_status_can_command_a_terminal() -> None:
    for line in describe(hostile().run, START):
        assert line.isprintable(), line


# results


def ids(found: RunRecord) -> list[str]:
    return [case.id.rpartition("::")[2] for case in cases(found)]


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        ({"failed": True}, ["test_fails", "test_errors", "tests/test_broken.py"]),
        ({"flaky": True}, ["test_is_flaky"]),
        ({"slowest": 2}, ["test_orders[BTC-PERP]", "test_fills"]),
        ({"slowest": 1, "failed": True}, ["test_fails"]),
        ({"failed": True, "flaky": True}, ["test_fails", "test_errors", "test_is_flaky", "tests/test_broken.py"]),
        ({"slowest": 99}, ids(mixed())),
    ],
)
def test_some_of_the_results(choice: Object, wanted: list[str]) -> None:
    assert sorted(ids(select(mixed(), **choice))) == sorted(wanted)


def test_a_chosen_test_has_all_its_attempts() -> None:
    (case,) = cases(select(mixed(), flaky=True))
    assert [item.outcome for item in case.attempts] == ["failed", "passed"]


def test_the_table_of_results() -> None:
    lines = render(mixed(), Format.TABLE).splitlines()
    assert len(lines) == 1 + 10 + 2
    assert [line.split()[0] for line in lines[8:11]] == ["failed", "error", "error"], "failures are last"
    assert "tests/test_core.py:20: AssertionError: the position is not delta-neutral" in "\n".join(lines)
    assert lines[-1].startswith("position-manager: Failed, 5 passed, 1 failed, 2 errors")


def test_the_slowest_come_first() -> None:
    lines = render(mixed(), Format.TABLE, slowest=2).splitlines()
    assert [line.split()[2] for line in lines[1:3]] == ["4.10s", "1.90s"]


def test_no_result_can_command_a_terminal() -> None:
    for line in render(hostile(), Format.TABLE).splitlines():
        assert line.isprintable(), line


@pytest.mark.parametrize("output", [Format.JSON, Format.CTRF])
def test_json_is_json(output: Format) -> None:
    assert json.loads(render(mixed(), output))


def test_a_choice_in_json() -> None:
    assert len(json.loads(render(mixed(), Format.JSON, failed=True))["tests"]) == 3


def test_results_of_a_run_without_any() -> None:
    lines = render(record([]), Format.TABLE).splitlines()
    assert lines[0] == "no such tests"


# logs


@pytest.mark.parametrize(
    "test",
    [
        "tests/test_core.py::TestBook::test_fails",
        "TestBook::test_fails",
        "test_fails",
        "test_core.py::TestBook::test_fails",
    ],
)
def test_the_log_of_a_test(test: str) -> None:
    text = "\n".join(attempts_log(mixed(), test))
    assert "(core, attempt 1): failed after 1.30s at tests/test_core.py:20" in text
    assert "(core, attempt 2): failed after 1.20s" in text
    assert text.count("E       assert 0.19999999999999996 == 0") == 2


def test_the_log_of_a_test_that_passed() -> None:
    assert "leaves no text" in attempts_log(mixed(), "test_passes")[1]


def test_the_log_of_a_test_with_parameters() -> None:
    assert "test_orders[BTC-PERP]" in attempts_log(mixed(), "test_orders")[0]


@pytest.mark.parametrize("test", ["tests/test_core.py::test_pases", "test_pases"])
def test_no_such_test(test: str) -> None:
    with pytest.raises(CliError, match=r"did you mean tests/test_core.py::test_passes"):
        attempts_log(mixed(), test)


def test_a_name_that_many_tests_have() -> None:
    found = record([piece("a", 0, [attempt("a.py::test_one"), attempt("b.py::test_one")])])
    with pytest.raises(CliError, match=r"means 2 tests of run; give one of:\n  a.py::test_one\n  b.py::test_one"):
        attempts_log(found, "test_one")


FILES = {
    name: Path(f"/logs/{name}.log")
    for name in (
        "service-redis",
        "application-app",
        "suite-core-0",
        "suite-core-1",
        "suite-core-0-relay",
        "suite-flow-0",
    )
}


@pytest.mark.parametrize(
    ("part", "wanted"),
    [
        (Part("service", "redis"), ["service-redis"]),
        (Part("application", "app"), ["application-app"]),
        (Part("suite", "core"), ["suite-core-0", "suite-core-1"]),
        (Part("suite", "core", 1), ["suite-core-1"]),
        (Part("suite"), ["suite-core-0", "suite-core-1", "suite-flow-0"]),
    ],
    ids=str,
)
def test_local_logs(part: Part, wanted: list[str]) -> None:
    assert list(files_of(FILES, part)) == wanted


def test_no_such_local_log() -> None:
    with pytest.raises(CliError, match="there is no log of service kafka; there are: service-redis, application-app"):
        files_of(FILES, Part("service", "kafka"))


# diff


def outcomes(name: str = "run", **tests: tuple[str, float] | str) -> RunRecord:
    items = []
    for test, answer in tests.items():
        outcome, seconds = (answer, 0.01) if isinstance(answer, str) else answer
        items.append(attempt(f"a.py::{test}", outcome, seconds=seconds, message="no" if outcome == "failed" else ""))
    return record([piece("core", 0, items)], name=name)


DIFFS: dict[str, tuple[RunRecord, RunRecord, dict[str, list[str]]]] = {
    "nothing": (outcomes(t="passed"), outcomes(t="passed"), {}),
    "newly failing": (outcomes(t="passed"), outcomes(t="failed"), {"newly_failing": ["t"]}),
    "newly in error": (outcomes(t="skipped"), outcomes(t="error"), {"newly_failing": ["t"]}),
    "newly passing": (outcomes(t="error"), outcomes(t="passed"), {"newly_passing": ["t"]}),
    "no longer run": (outcomes(t="failed"), outcomes(t="skipped"), {}),
    "still failing": (outcomes(t="error"), outcomes(t="failed"), {"still_failing": ["t"]}),
    "new": (outcomes(t="passed"), outcomes(t="passed", u="passed"), {"new": ["u"]}),
    "new and failing": (outcomes(t="passed"), outcomes(t="passed", u="failed"), {"new": ["u"], "newly_failing": ["u"]}),
    "removed": (outcomes(t="passed", u="failed"), outcomes(t="passed"), {"removed": ["u"]}),
    "slower": (outcomes(t=("passed", 1.0)), outcomes(t=("passed", 2.1)), {"slower": ["t"]}),
    "a little slower": (outcomes(t=("passed", 1.0)), outcomes(t=("passed", 2.0)), {}),
    "slower by chance": (outcomes(t=("passed", 0.01)), outcomes(t=("passed", 0.1)), {}),
    "slower and failing": (outcomes(t=("passed", 1.0)), outcomes(t=("failed", 9.0)), {"newly_failing": ["t"]}),
}


@pytest.mark.parametrize("name", DIFFS)
def test_what_has_changed(name: str) -> None:
    before, after, wanted = DIFFS[name]
    found = compare(before, after)
    seen = {
        field: [change.id.partition("::")[2] for change in getattr(found, field)]
        for field in found.__dataclass_fields__
    }
    assert {key: value for key, value in seen.items() if value} == wanted


def test_a_test_in_another_shard_is_the_same() -> None:
    first = record([piece("core", 0, [attempt("t")])])
    second = record([piece("core", 1, [attempt("t")])])
    assert as_lines(compare(first, second), first, second)[-1] == "no test has changed"


def test_a_difference_for_people_and_for_programs() -> None:
    before, after = outcomes("one", t="passed", u=("passed", 1.0)), outcomes("two", t="failed", u=("passed", 3.0))
    found = compare(before, after)
    assert as_lines(found, before, after) == [
        "one (Passed) -> two (Passed)", "", "Newly failing (1):", "  core: a.py::t  no",
        "", "Slower than 2 times (1):", "  core: a.py::u  1.00s -> 3.00s",
    ]  # fmt: skip
    members = as_json(found, before, after)
    assert members["before"] == {"name": "one", "namespace": "default", "phase": "Passed"}
    assert members["newlyFailing"] == [
        {
            "suite": "core",
            "id": "a.py::t",
            "before": {"outcome": "passed", "durationSeconds": 0.01},
            "after": {"outcome": "failed", "durationSeconds": 0.01},
        }
    ]


# rerun


def repeatable(*states: str, suites: list[Object] | None = None, tests: list[Object] | None = None) -> RunRecord:
    suites = suites or [{"name": "core"}, {"name": "flow"}]
    tests = tests or [attempt("a.py::test_no", "failed"), attempt("a.py::test_yes"), attempt("a.py::test_oh", "error")]
    ends = zip(suites, states or ("Failed", "Passed"), strict=True)
    ended = [{"name": suite["name"], "state": state} for suite, state in ends]
    found = record([piece("core", 0, tests)], name="orders", suites=ended)
    spec = {"suites": suites, "services": {"redis": {}}, "cancel": True, "suspend": False}
    metadata = {**found.run["metadata"], "labels": {"team": "a"}, "annotations": {"kubectl.kubernetes.io/x": "y"}}
    return replace(found, run={**found.run, "spec": spec, "metadata": metadata})


def test_again_as_it_was() -> None:
    found, notes = again(repeatable(), failed=False)
    assert notes == []
    assert found["spec"] == {"suites": [{"name": "core"}, {"name": "flow"}], "services": {"redis": {}}}
    metadata = found["metadata"]
    assert metadata["generateName"] == "orders-"
    assert metadata["labels"] == {"team": "a", ORIGIN_LABEL: "orders"}
    assert metadata["annotations"][ORIGIN_ANNOTATION] == "orders"
    assert "name" not in metadata
    assert parse_spec(found["spec"])


def test_again_and_again_keeps_the_name_short() -> None:
    first, _ = again(repeatable(), failed=False)
    repeated = repeatable()
    metadata = {**repeated.run["metadata"], "name": "orders-x7k2b", "annotations": first["metadata"]["annotations"]}
    found, _ = again(replace(repeated, run={**repeated.run, "metadata": metadata}), failed=False)
    assert found["metadata"]["generateName"] == "orders-"
    assert found["metadata"]["annotations"][ORIGIN_ANNOTATION] == "orders-x7k2b"


def test_again_what_failed() -> None:
    suites = [{"name": "core", "shards": 4, "pytest": {"markers": "not slow", "paths": ["tests"]}}, {"name": "flow"}]
    found, notes = again(repeatable(suites=suites), failed=True)
    assert notes == []
    assert found["spec"]["suites"] == [
        {"name": "core", "shards": 2, "pytest": {"markers": "not slow", "paths": ["a.py::test_no", "a.py::test_oh"]}}
    ]
    assert parse_spec(found["spec"])


JUNIT = {"name": "core", "image": "a", "junit": {"path": "/results/junit.xml"}}
LONG = "a.py::test_" + "x" * 600
WHOLE: dict[str, tuple[RunRecord, list[str] | None, str]] = {
    "a suite that broke off": (repeatable("Error", "Passed"), None, "suite core ended as Error"),
    "a suite that is not pytest": (repeatable("Failed", suites=[JUNIT]), None, "not pytest"),
    "more tests than a spec can name": (
        repeatable(tests=[attempt(f"a.py::test_{number}", "failed") for number in range(MAX_PATHS + 1)]),
        ["a.py"],
        "65 failed tests are more than a spec can name",
    ),
    "more files than a spec can name": (
        repeatable(tests=[attempt(f"a{number}.py::test", "failed") for number in range(MAX_PATHS + 1)]),
        None,
        "it is repeated whole",
    ),
    "an id that is too long": (
        repeatable(tests=[attempt(LONG, "failed"), attempt("b.py::test", "failed")]),
        ["a.py", "b.py::test"],
        "with their whole file",
    ),
    "a test that ran twice": (
        repeatable(tests=[attempt("a.py::test (run 2)", "failed")]),
        ["a.py::test"],
        "with their whole file",
    ),
    "a module that cannot be collected": (repeatable(tests=[attempt("a.py", "error")]), ["a.py"], ""),
}


@pytest.mark.parametrize("name", WHOLE)
def test_again_more_than_what_failed(name: str) -> None:
    source, paths, note = WHOLE[name]
    found, notes = again(source, failed=True)
    suite = found["spec"]["suites"][0]
    assert (suite.get("pytest") or {}).get("paths") == paths
    assert note in " ".join(notes)
    assert bool(note) == bool(notes)
    assert parse_spec(found["spec"])


def test_again_when_nothing_failed() -> None:
    source = repeatable("Passed", "Passed", tests=[attempt("a.py::test")])
    with pytest.raises(CliError, match="nothing failed in orders"):
        again(source, failed=True)


# extend, clean


@pytest.mark.parametrize(
    ("status", "retention", "wanted"),
    [
        ({}, {}, {"onSuccess": "30m", "onFailure": "1h"}),
        (PASSED, {"onSuccess": "10m", "onFailure": "0s"}, {"onSuccess": "40m", "onFailure": "30m"}),
        (FAILED, {"onSuccess": "0s", "onFailure": "45s"}, {"onSuccess": "30m", "onFailure": "30m45s"}),
    ],
)
def test_longer(status: Object, retention: Object, wanted: Object) -> None:
    assert extended(run("orders", status, retention=retention), 1800) == wanted


def test_longer_when_it_is_gone() -> None:
    status = {"conditions": conditions("True", "True", "AllTestsPassed", **GONE)}
    with pytest.raises(CliError, match=r"gone or is being deleted .the environment is deleted."):
        extended(run("orders", status), 60)


def test_until_when() -> None:
    status = {**FAILED, "timings": {"finished": "2026-01-01T10:00:00Z"}}
    assert told(run("a", status, retention={"onSuccess": "0s", "onFailure": "1h"})).endswith(
        "until 2026-01-01 11:00:00 UTC"
    )
    assert "0s after a success, 1h after a failure" in told(run("a", retention={"onSuccess": "0s", "onFailure": "1h"}))


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        ({"finished": False, "seconds": None}, ["going", "old", "young"]),
        ({"finished": True, "seconds": None}, ["old", "young"]),
        ({"finished": False, "seconds": 100}, ["old"]),
        ({"finished": True, "seconds": 100}, ["old"]),
        ({"finished": False, "seconds": 1000}, []),
    ],
)
def test_what_is_cleaned(choice: Object, wanted: list[str]) -> None:
    runs = [
        run("going"),
        run("old", {**PASSED, "timings": {"finished": at(100)}}),
        run("young", {**FAILED, "timings": {"finished": at(250)}}),
    ]
    assert [item["metadata"]["name"] for item in choose(runs, START + 300, **choice)] == wanted


# the environment

COMPONENTS = {"services": [{"name": "redis"}], "applications": [{"name": "app"}], "suites": [{"name": "core"}]}


def test_the_environment_of_a_run() -> None:
    assert environment_of(run("a", FAILED), "") == "seatrial-a"
    assert environment_of(run("a", {"namespace": "seatrial-a", "conditions": conditions("False")}), "") == "seatrial-a"


NO_ENVIRONMENT: dict[str, tuple[Object, str]] = {
    "nobody has seen it": ({}, "has none yet .no operator has seen it.; see: seatrial status a -n team"),
    "queued": ({"phase": "Queued", "conditions": conditions("False")}, "has none yet .Queued."),
    "refused": ({"conditions": conditions("True", "False", "InvalidSpec", **GONE)}, "never had one"),
    "passed": (
        {"namespace": "x", "conditions": conditions("True", "True", "AllTestsPassed", **GONE)},
        r"the environment is deleted. To keep the next one, write `retention: \{onSuccess: 30m\}`",
    ),
    "failed": ({"namespace": "x", "conditions": conditions("True", "False", "TestsFailed", **GONE)}, "onFailure: 30m"),
}


@pytest.mark.parametrize("name", NO_ENVIRONMENT)
def test_no_environment(name: str) -> None:
    status, words = NO_ENVIRONMENT[name]
    with pytest.raises(CliError, match=words):
        environment_of(run("a", status), " -n team")


def test_parts_by_name() -> None:
    assert named_part(COMPONENTS, "redis") == Part("service", "redis")
    assert named_part(COMPONENTS, "app") == Part("application", "app")
    with pytest.raises(CliError, match="has no service or application core; it has: redis, app"):
        named_part(COMPONENTS, "core")


@pytest.mark.parametrize(
    ("status", "part", "words"),
    [
        (COMPONENTS, Part("service", "kafka"), "has no service kafka; it has: redis"),
        ({"suites": [{"name": "core"}]}, Part("application", "app"), "has no application app; it has: none"),
        (COMPONENTS, Part("suite", "flow", 1), "has no suite flow; it has: core"),
    ],
)
def test_parts_that_are_not_there(status: Object, part: Part, words: str) -> None:
    with pytest.raises(CliError, match=words):
        check_known(status, part)


@pytest.mark.parametrize("part", [Part("service", "redis"), Part("suite"), Part("suite", "core", 3)], ids=str)
def test_parts_that_may_be_there(part: Part) -> None:
    check_known(COMPONENTS, part)
    check_known({}, part)


KUBECTL = '#!/bin/sh\necho "$@"\nexit 7\n'


@pytest.mark.parametrize(
    ("where", "options"), [("Where()", ""), ("Where('ns', 'c', '/k')", "--kubeconfig /k --context c ")]
)
def test_kubectl_is_asked_for_the_same_cluster(where: str, options: str, tmp_path: Path) -> None:
    """It takes the place of this process, so that terminal, signals and exit code are its own."""
    (tmp_path / "kubectl").write_text(KUBECTL)
    (tmp_path / "kubectl").chmod(0o755)
    source = (
        "from seatrial.cli.environment import run_kubectl\nfrom seatrial.cli.options import Where\n"
        f"run_kubectl({where}, ['exec', 'pod'])"
    )
    environment = {**os.environ, "PATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", source], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (7, f"{options}exec pod\n")


def test_without_kubectl(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CliError, match="kubectl is not on the PATH"):
        run_kubectl(Where(), ["exec"])


@pytest.mark.parametrize(
    ("part", "wanted"),
    [
        (Part("suite"), "seatrial.dev/run-uid=u,seatrial.dev/component=suite"),
        (
            Part("suite", "core", 0),
            (
                "seatrial.dev/run-uid=u,seatrial.dev/component=suite,seatrial.dev/name=core,"
                "batch.kubernetes.io/job-completion-index=0"
            ),
        ),
    ],
    ids=str,
)
def test_selectors(part: Part, wanted: str) -> None:
    assert selector("u", part) == wanted


@pytest.mark.parametrize(
    ("state", "running"), [({"running": {}}, True), ({"terminated": {}}, False), ({"waiting": {}}, False), ({}, False)]
)
def test_whether_a_pod_runs(state: Object, *, running: bool) -> None:
    pod = {
        "spec": {"containers": [{"name": "suite"}]},
        "status": {"containerStatuses": [{"name": "suite", "state": state}]},
    }
    assert is_running(pod) is running


def test_options_for_the_next_command() -> None:
    where = Where("team", "kind", Path("/k"))
    assert where.flags == " --kubeconfig /k --context kind -n team"
    assert where.explicit
    assert (Where().flags, Where().explicit, Where(cluster=True).explicit) == ("", False, True)


# run --cluster

RUN = "apiVersion: seatrial.dev/v1alpha1\nkind: TestRun\nmetadata: {name: a}\nspec: {}\n"
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"


def test_what_a_run_needs_is_applied_first(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(f"{RUN}---\n---\n{CONFIG}")
    assert [item["kind"] for item in read_objects([tmp_path / "run.yaml"])] == ["ConfigMap", "TestRun"]


BAD_FILES = {
    "not there": (None, Exit.CANNOT_ASK, "run.yaml: cannot be read: No such file"),
    "empty": ("", Exit.USAGE, "run.yaml:1:1: holds no object: expected a TestRun"),
    "no run in it": (CONFIG, Exit.USAGE, "run.yaml: holds no TestRun"),
    "no YAML": ("a: [", Exit.USAGE, "run.yaml:2:1: is not YAML"),
    "not UTF-8": (b"\xff\xfe\x00", Exit.CANNOT_ASK, "run.yaml:1:1: is not UTF-8"),
    "a list": (f"{RUN}---\n- a\n", Exit.USAGE, "run.yaml:6:1: must be an object with apiVersion and kind, not a list"),
    "another kind": (
        f"{RUN}---\napiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\n",
        Exit.USAGE,
        "run.yaml:7:1: kind: a Pod is not applied by seatrial: kubectl apply it first",
    ),
    "no kind": ("metadata: {name: a}\n", Exit.USAGE, "run.yaml:1:1: apiVersion: is required"),
    "no name": (RUN.replace("{name: a}", "{}"), Exit.USAGE, "run.yaml:3:1: metadata.name: is required"),
    "a generated name of a ConfigMap": (
        f"{RUN}---\n{CONFIG.replace('name:', 'generateName:')}",
        Exit.USAGE,
        "run.yaml:8:1: metadata.name: is required",
    ),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_files_that_cannot_be_applied(name: str, tmp_path: Path) -> None:
    content, code, words = BAD_FILES[name]
    path = tmp_path / "run.yaml"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(CliError) as caught:
        read_objects([path])
    assert str(caught.value).startswith(f"{tmp_path}/{words}")
    assert caught.value.exit is code
