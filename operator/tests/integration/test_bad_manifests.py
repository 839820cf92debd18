"""Manifests that `seatrial run` cannot read, or cannot take: file, line, field, and what is allowed."""

from __future__ import annotations

import json

import pytest

from tests.integration.local_machine import EXAMPLES, Machine, ended

HEAD = "apiVersion: seatrial.dev/v1alpha1\nkind: TestRun\nmetadata: {name: it}\n"
SPEC = "spec:\n  suites:\n    - name: it\n      image: it:1\n"
NO_DURATION = "should match pattern '^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$'"
DURATIONS = "allowed: hours, minutes and seconds in this order, such as 1h30m or 45s"
GONE = "there is no ConfigMap gone among these files: write it into one of them, or give --configmap gone=DIR"
WRONG = {
    "an unknown field": (
        f"{HEAD}{SPEC}      shard: 2\n",
        "run.yaml:8:7: spec.suites[0].shard: is an unknown field; did you mean shards?",
    ),
    "another type": (
        f"{HEAD}{SPEC}      shards: two\n",
        "run.yaml:8:7: spec.suites[0].shards: must be an integer, not 'two'",
    ),
    "out of bounds": (
        f"{HEAD}{SPEC}      shards: 33\n",
        "run.yaml:8:7: spec.suites[0].shards: should be less than or equal to 32, not 33",
    ),
    "a pattern": (
        f"{HEAD}{SPEC}      timeout: 10 minutes\n",
        f"run.yaml:8:7: spec.suites[0].timeout: {NO_DURATION}, not '10 minutes'; {DURATIONS}",
    ),
    "a rule of CEL": (
        f"{HEAD}{SPEC}  services: {{kafka: {{}}, redpanda: {{}}}}\n",
        "run.yaml:8:3: spec.services: kafka and redpanda are both set: a run has one broker, remove one",
    ),
    "nothing that is needed": (
        f"{HEAD}spec: {{}}\n",
        "run.yaml:4:1: spec.suites: is required; the test suites, in the order in which they start",
    ),
    "a field twice": (
        f"{HEAD}{SPEC}      image: it:2\n",
        "run.yaml:8:7: spec.suites[0].image: is there twice, first in line 7: keep one",
    ),
    "no YAML": (
        f"{HEAD}spec: [\n",
        "run.yaml:5:1: is not YAML: while parsing a flow node did not find expected node content",
    ),
    "another kind of object": (
        f"{HEAD.replace('TestRun', 'Testrun')}{SPEC}",
        "run.yaml:2:1: kind: 'Testrun' is no kind of seatrial.dev/v1alpha1; did you mean TestRun?",
    ),
    "no object": ("- a\n", "run.yaml:1:1: must be an object with apiVersion and kind, not a list"),
    "nothing": ("", "run.yaml:1:1: holds no object: expected a TestRun"),
    "no TestRun": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: it}\n",
        "run.yaml: holds no TestRun",
    ),
    "something wrong in its second document": (
        f"{HEAD}{SPEC}---\n{HEAD.replace('it', 'other')}{SPEC}      shard: 2\n",
        "run.yaml:16:7: spec.suites[0].shard: is an unknown field; did you mean shards?",
    ),
    "a ConfigMap that is nowhere": (
        f"{HEAD}{SPEC.replace('image: it:1', 'testsFrom: {configMapRef: {name: gone}}')}",
        f"run.yaml:7:34: spec.suites[0].testsFrom.configMapRef.name: {GONE}",
    ),
    "two documents of one name": (
        f"{HEAD}{SPEC}---\n{HEAD}{SPEC}",
        "run.yaml:11:12: metadata.name: there is another TestRun it in run.yaml:3: keep one, or rename it",
    ),
}


class TestManifests:
    @pytest.mark.parametrize("name", WRONG)
    def test_one_that_is_wrong(self, machine: Machine, name: str) -> None:
        text, said = WRONG[name]
        (machine.folder / "run.yaml").write_text(text)
        done = machine.run("run", "run.yaml")
        ended(machine, done, 3)
        assert (done.stdout, done.stderr) == ("", f"error: {said}\n")

    def test_every_problem_of_every_file_is_said(self, machine: Machine) -> None:
        for name in ("a.yaml", "b.yaml"):
            (machine.folder / name).write_text(f"{HEAD}spec: {{suits: [], suites: []}}\n")
        done = machine.run("run", "a.yaml", "b.yaml", "c.yaml")
        ended(machine, done, 2)

    @pytest.mark.parametrize(
        ("path", "why"),
        [
            ("nowhere.yaml", "cannot be read: No such file or directory"),
            (".", "is a folder: name the files in it"),
            ("/proc/self/mem", "cannot be read: Input/output error"),
        ],
    )
    def test_one_that_cannot_be_read(self, machine: Machine, path: str, why: str) -> None:
        done = machine.run("run", path)
        ended(machine, done, 2)
        assert (done.stdout, done.stderr) == ("", f"error: {path}: {why}\n")


class TestTwoDocuments:
    """Each is a run of its own; the worst verdict is the answer."""

    @pytest.fixture
    def two(self, machine: Machine) -> str:
        good = (machine.folder / machine.write()).read_text()
        red = (EXAMPLES / "red.yaml").read_text()
        (machine.folder / "two.yaml").write_text(f"{red}\n---\n{good}")
        return "two.yaml"

    def test_both_are_run(self, machine: Machine, two: str) -> None:
        done = machine.run("run", two)
        ended(machine, done, 1)
        first, second = done.stdout.splitlines()
        assert first.startswith("red: Failed, 2 passed, 1 failed, 1 errors")
        assert second.startswith("it: Passed, 1 passed")

    def test_in_json_they_are_one_list(self, machine: Machine, two: str) -> None:
        done = machine.run("run", two, "-o", "json")
        ended(machine, done, 1)
        answer = json.loads(done.stdout)
        assert answer["kind"] == "List"
        assert [item["status"]["phase"] for item in answer["items"]] == ["Failed", "Passed"]

    def test_in_two_files_they_are_so_too(self, machine: Machine) -> None:
        """The ConfigMap in one file, the TestRun that names it in the other."""
        config_map, run = (machine.folder / machine.write()).read_text().split("---\n")
        (machine.folder / "tests.yaml").write_text(config_map)
        (machine.folder / "run.yaml").write_text(run)
        done = machine.run("run", "run.yaml", "tests.yaml")
        ended(machine, done, 0)
        assert done.stdout.startswith("it: Passed, 1 passed")
