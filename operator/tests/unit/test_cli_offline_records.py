"""The folders of local runs."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from seatrial.cli.exits import CliError, Exit
from seatrial.cli.records import (
    RUN_FILE,
    SLICES_FILE,
    RunWriter,
    find_record,
    log_files,
    prune,
    read_record,
    run_folder,
    run_folders,
    runs_folder,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


def a_run(name: str = "red", namespace: str = "default", **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"suites": [{"name": "s"}]}, "status": status}


def a_slice(number: int, *ids: str) -> dict[str, Any]:
    return {
        "metadata": {"name": f"red-{number}"},
        "spec": {
            "suite": "s",
            "shard": 0,
            "firstSequence": number * 100 + 1,
            "tests": [{"id": item, "outcome": "passed"} for item in ids],
        },
    }


def test_a_record_is_read_as_it_was_written(state: Path) -> None:
    writer = RunWriter.start(a_run())
    writer.add_slices([a_slice(0, "a")])
    writer.add_slices([a_slice(0, "a", "b"), a_slice(1, "c")])
    writer.log_path("service", "kafka").write_text("log\n")
    while_it_goes_on = find_record("red")
    assert while_it_goes_on is not None
    assert [test.id for test in while_it_goes_on.tests()] == ["a", "b", "c"]
    writer.write_run(a_run(phase="Passed"))
    writer.close()
    record = find_record("red")
    assert record is not None
    assert record.status == {"phase": "Passed"}
    assert [test.id for test in record.tests()] == ["a", "b", "c"]
    folder = run_folder("red")
    assert folder == state / "seatrial" / "runs" / "default" / "red"
    assert (folder / SLICES_FILE).read_bytes().count(b"\n") == 2, "each slice once, when the run is over"
    assert list(log_files(folder)) == ["service-kafka"]
    assert json.loads((folder / RUN_FILE).read_text())["metadata"]["name"] == "red"


def test_a_new_run_replaces_the_old_one_only_when_it_starts() -> None:
    first = RunWriter.start(a_run(phase="Passed"))
    first.log_path("suite", "s").write_text("old")
    first.close()
    assert find_record("red") is not None
    second = RunWriter.start(a_run(phase="Running"))
    record = find_record("red")
    assert record is not None
    assert record.status["phase"] == "Running"
    assert not first.folder.exists()
    assert log_files(second.folder) == {}
    second.close()


def test_two_runs_of_a_name_side_by_side_do_not_meet() -> None:
    first = RunWriter.start(a_run())
    second = RunWriter.start(a_run())
    second.add_slices([a_slice(0, "second")])
    first.add_slices([a_slice(0, "first")])
    second.close()
    first.close()
    record = find_record("red")
    assert record is not None
    assert [test.id for test in record.tests()] == ["second"]
    assert [test.id for test in read_record(first.folder).tests()] == ["first"]
    prune()
    assert not first.folder.exists()
    assert second.folder.exists()


def test_a_folder_that_is_no_link_is_replaced(state: Path) -> None:
    plain = state / "seatrial" / "runs" / "default" / "red"
    plain.mkdir(parents=True)
    (plain / RUN_FILE).write_text(json.dumps(a_run(phase="Failed")))
    assert find_record("red") is not None
    RunWriter.start(a_run(phase="Passed")).close()
    record = find_record("red")
    assert record is not None
    assert record.status["phase"] == "Passed"
    assert sorted(path.name for path in plain.parent.iterdir()) == sorted(["red", plain.readlink().name])


def test_the_namespace_decides_where_it_is_given() -> None:
    RunWriter.start(a_run(namespace="one")).close()
    later = RunWriter.start(a_run(namespace="two"))
    later.close()
    os.utime(later.folder / RUN_FILE, (2**31, 2**31))
    assert run_folder("red", "one") == runs_folder() / "one" / "red"
    assert run_folder("red") == runs_folder() / "two" / "red"
    assert run_folder("red", "three") is None
    assert run_folder("../one/red") is None


def test_the_last_runs_are_kept() -> None:
    for number in range(6):
        writer = RunWriter.start(a_run(f"run-{number}"))
        os.utime(writer.folder / RUN_FILE, (1000 + number, 1000 + number))
        if number:
            writer.close()
        else:
            going_on = writer
    assert sorted(path.name for path in prune(2)) == ["run-1", "run-2", "run-3"]
    assert sorted(path.name for path in run_folders()) == ["run-0", "run-4", "run-5"], "run-0 goes on"
    going_on.close()
    assert [path.name for path in prune(2)] == ["run-0"]
    assert len(list((runs_folder() / "default").iterdir())) == 4, "two links and what they lead to"


def test_a_line_that_was_cut_off_is_left_out_and_a_broken_one_is_told() -> None:
    writer = RunWriter.start(a_run())
    writer.add_slices([a_slice(0, "a")])
    path = writer.folder / SLICES_FILE
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"metadata": {"na')
    assert [test.id for test in read_record(writer.folder).tests()] == ["a"]
    path.write_bytes(b"garbage\n" + whole)
    with pytest.raises(CliError, match=r"slices\.jsonl cannot be read: line 1: "):
        read_record(writer.folder)
    writer.close()


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"metadata": 3}', b"\xff", b"[" * 100_000])
def test_what_is_no_run_is_told(content: bytes) -> None:
    writer = RunWriter.start(a_run())
    writer.close()
    (writer.folder / RUN_FILE).write_bytes(content)
    with pytest.raises(CliError, match=r"testrun\.json cannot be read: .*; delete the folder, or run again"):
        find_record("red")


def test_a_state_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(file))
    with pytest.raises(
        CliError, match=r"cannot be written to .*: Not a directory; make room there, or set XDG_STATE_HOME"
    ):
        RunWriter.start(a_run())
    assert find_record("red") is None


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    writer = RunWriter.start(a_run())
    (writer.folder / f"{RUN_FILE}.new").symlink_to("/dev/full")
    with pytest.raises(CliError, match="No space left on device; make room there"):
        writer.write_run(a_run())
    writer.close()
    del tmp_path


@pytest.mark.parametrize("name", ["..", "a/b", ".hidden", "", "A", "x" * 300])
def test_names_that_are_no_folder(name: str) -> None:
    with pytest.raises(CliError, match=r"metadata\.name: .* cannot name a folder") as caught:
        RunWriter.start(a_run(name))
    assert caught.value.exit is Exit.USAGE


def test_logs_stay_in_their_folder() -> None:
    writer = RunWriter.start(a_run())
    assert writer.log_path("suite", "../../x/y").parent == writer.folder / "logs"
    writer.close()


def test_a_relative_state_folder_is_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert runs_folder() == tmp_path / ".local" / "state" / "seatrial" / "runs"
