"""The commands that need no cluster, as processes: exit codes, what goes where, and no stack trace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from seatrial.cli.records import RunWriter
from tests.sample_records import mixed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]

GOOD = """\
apiVersion: seatrial.dev/v1alpha1
kind: TestRun
metadata: {name: good}
spec: {suites: [{name: core}]}
"""


LOCAL = "a local run; --cluster asks the cluster for position-manager\n"


@pytest.fixture
def seatrial(tmp_path: Path) -> Run:
    def run(*arguments: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        home = {
            "HOME": str(tmp_path),
            "XDG_STATE_HOME": str(tmp_path / "state"),
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
        }
        env = {key: value for key, value in os.environ.items() if key not in {"KUBECONFIG", "SEATRIAL_DEBUG"}}
        done = subprocess.run(
            [sys.executable, "-m", "seatrial.cli", *arguments],
            cwd=tmp_path,
            env=env | home | variables,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of a run that has ended on this machine."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    record = mixed()
    writer = RunWriter.start(record.run)
    writer.add_slices(record.slices)
    writer.close()
    return record.name


def test_lint_of_a_good_file(seatrial: Run, tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    done = seatrial("lint", "good.yaml")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "1 TestRun in 1 file: nothing wrong\n")


def test_lint_of_standard_input(seatrial: Run) -> None:
    done = seatrial("lint", "-", stdin=GOOD.replace("core}", "core, shards: 0}"))
    assert done.returncode == 1
    assert done.stdout == ("stdin:4:30: spec.suites[0].shards: should be greater than or equal to 1, not 0\n")


def test_lint_goes_on_after_a_file_that_cannot_be_read(seatrial: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(GOOD.replace("core", "Core"))
    done = seatrial("lint", "none.yaml", "bad.yaml")
    assert done.returncode == 2
    assert "bad.yaml:4:18: spec.suites[0].name: should match pattern" in done.stdout
    assert "none.yaml: cannot be read: No such file or directory" in done.stdout


def test_lint_counts_warnings_when_it_is_told_to(seatrial: Run, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(GOOD.replace("core}", "core, image: app}"))
    assert seatrial("lint", "run.yaml").returncode == 0
    assert seatrial("lint", "run.yaml", "--strict").returncode == 1


def test_lint_as_json(seatrial: Run, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(GOOD.replace("core}", "core, shard: 1}"))
    done = seatrial("lint", "run.yaml", "-o", "json")
    assert done.returncode == 1
    assert json.loads(done.stdout) == {
        "valid": False,
        "testRuns": 1,
        "problems": [
            {
                "source": "run.yaml",
                "line": 4,
                "column": 30,
                "field": "spec.suites[0].shard",
                "message": "is an unknown field; did you mean shards?",
                "severity": "error",
            }
        ],
    }


def test_lint_without_a_file(seatrial: Run) -> None:
    assert seatrial("lint").returncode == 3


def test_a_report_is_written(seatrial: Run, finished: str, tmp_path: Path) -> None:
    done = seatrial("report", finished, "-o", "page.html")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"{LOCAL}wrote page.html\n")
    assert "<h1>" in (tmp_path / "page.html").read_text()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".page")] == []
    assert seatrial("report", finished, "-o", "-").stdout.startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("target", "code", "message"),
    [
        ("nowhere/page.html", 2, "error: nowhere/page.html cannot be written: No such file or directory\n"),
        ("state", 3, "error: state is a folder: name a file in it\n"),
        ("/dev/full", 2, "error: /dev/full cannot be written: No space left on device\n"),
    ],
)
def test_a_report_that_cannot_be_written(seatrial: Run, finished: str, target: str, code: int, message: str) -> None:
    done = seatrial("report", finished, "-o", target)
    assert (done.returncode, done.stderr) == (code, LOCAL + message)


def test_a_report_of_no_run_names_both_places(seatrial: Run, tmp_path: Path) -> None:
    done = seatrial("report", "nothing")
    assert done.returncode == 2
    assert (
        f"there is no local run nothing in {tmp_path}/state/seatrial/runs, and there is no kubeconfig at" in done.stderr
    )


def test_import_writes_the_manifest_alone_to_standard_output(seatrial: Run, tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").write_text(
        "services: {db: {image: postgres}, web: {image: 'web:1', restart: always}}"
    )
    done = seatrial("import", "compose", "--name", "shop")
    assert done.returncode == 0
    assert "web.restart: an application that ends is the run's verdict" in done.stderr
    linted = seatrial("lint", "--strict", "-", stdin=done.stdout)
    assert (linted.returncode, linted.stdout) == (0, "")


def test_import_replaces_nothing_unasked(seatrial: Run, tmp_path: Path) -> None:
    (tmp_path / "compose.yml").write_text("services: {cache: {image: redis}}")
    assert seatrial("import", "compose", "compose.yml", "-o", "run.yaml").returncode == 0
    again = seatrial("import", "compose", "compose.yml", "-o", "run.yaml")
    assert (again.returncode, again.stderr) == (3, "error: run.yaml exists already: --force replaces it\n")
    assert seatrial("import", "compose", "compose.yml", "-o", "run.yaml", "--force").returncode == 0


def test_import_of_nothing(seatrial: Run) -> None:
    done = seatrial("import", "compose")
    assert (done.returncode, done.stderr) == (
        2,
        "error: docker-compose.yml cannot be read: No such file or directory\n",
    )


@pytest.mark.parametrize("command", ["init", "lint", "import", "report", "doctor"])
def test_help(seatrial: Run, command: str) -> None:
    done = seatrial(command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: ")
    assert f"  {command} " in seatrial("--help").stdout


def checks_of(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in json.loads(done.stdout)["checks"]}


def test_doctor_looks_at_this_machine(seatrial: Run, tmp_path: Path) -> None:
    done = seatrial("doctor", "-o", "json")
    checks = checks_of(done)
    assert checks["Python"]["state"] == "ok"
    assert checks["records of runs"]["seen"] == f"{tmp_path}/state/seatrial/runs"
    assert {"kafka", "redis", "postgres"} <= set(checks) or checks["local engine"]["state"] == "fail"
    failed = any(check["state"] == "fail" for check in checks.values())
    assert done.returncode == (2 if failed else 0)
    assert json.loads(done.stdout)["ready"] is not failed


def test_doctor_finds_a_folder_that_cannot_be_written(seatrial: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = seatrial("doctor", "-o", "json", XDG_STATE_HOME=str(tmp_path / "file"))
    check = checks_of(done)["records of runs"]
    assert check["state"] == "fail"
    assert check["seen"].endswith("Not a directory")
    assert check["next"] == "make it writable, or set XDG_STATE_HOME to a folder that is"
    assert done.returncode == 2


def test_doctor_without_programs_on_the_path(seatrial: Run) -> None:
    checks = checks_of(seatrial("doctor", "-o", "json", PATH="/nowhere", JAVA_HOME=""))
    assert checks["Maven"]["state"] == checks["Docker"]["state"] == "warn"
    assert "install maven" in checks["Maven"]["next"]


def test_doctor_of_a_cluster_that_is_not_there(seatrial: Run, tmp_path: Path) -> None:
    asked = seatrial("doctor", "-o", "json", "--kubeconfig", "none")
    assert checks_of(asked)["connection"]["state"] == "fail", "it was asked for"
    broken = tmp_path / "config"
    broken.write_text("{}")
    unasked = seatrial("doctor", "-o", "json", KUBECONFIG=str(broken))
    assert checks_of(unasked)["connection"]["state"] == "warn", "local runs need none"


def test_doctor_reads_the_manifest_that_it_is_given(seatrial: Run, tmp_path: Path) -> None:
    done = seatrial("doctor", "none.yaml")
    assert done.returncode == 2
    assert done.stderr == "error: none.yaml: cannot be read: No such file or directory\n"
    (tmp_path / "bad.yaml").write_text("- a")
    assert seatrial("doctor", "bad.yaml").returncode == 3


def test_doctor_for_people(seatrial: Run) -> None:
    lines = seatrial("doctor").stdout.splitlines()
    assert lines[0] == "machine"
    assert lines[1].startswith("  ok   Python ")
