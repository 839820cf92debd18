"""The command line as such: what is listed, what is imported when, and how every end becomes an exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest
import typer
from typer.testing import CliRunner

import seatrial.cli.app as cli
from seatrial import __version__
from seatrial.cli.app import SECTIONS, Entry, app
from seatrial.cli.exits import CliError, Exit
from seatrial.errors import SeatrialError

ENTRIES = [entry for entries in SECTIONS.values() for entry in entries]
COMMANDS = Path(cli.__file__).parent / "commands"
HEAVY = {"kubernetes", "aiohttp", "kopf", "pydantic", "rich", "yaml"}


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither a cluster nor local runs: these tests end before one is asked."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(arguments), prog_name="seatrial")
    return result.exit_code, result.stdout, result.stderr


def test_help_lists_every_command() -> None:
    code, out, _ = run("--help")
    assert code == 0
    for entry in ENTRIES:
        assert f"\n  {entry.name} " in out


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["nix"]], ids=" ".join)
def test_nothing_is_imported_that_is_not_needed(arguments: list[str]) -> None:
    """Measured by what is imported, since a time would depend on the machine."""
    source = (
        "import sys, json\nfrom seatrial.cli.__main__ import main\n"
        f"sys.argv = ['seatrial', *{arguments!r}]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('\\n' + json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    modules = set(json.loads(done.stdout.splitlines()[-1]))
    # typer imports pydantic as soon as it has to read a value.
    allowed = {"pydantic"} if arguments == ["nix"] else set()
    assert {name.partition(".")[0] for name in modules} & HEAVY <= allowed
    assert [name for name in modules if name.startswith("seatrial.cli.commands.")] == []


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_command_has_a_help_of_its_own(entry: Entry) -> None:
    code, out, _ = run(entry.name, "--help")
    assert code == 0
    assert out.startswith(f"Usage: seatrial {entry.name} ")


def test_every_command_is_listed() -> None:
    """A module of `commands` with a function of its own name is a command."""
    found = {
        path.stem for path in COMMANDS.glob("*.py")
        if f"\ndef {path.stem}(" in path.read_text()
    }  # fmt: skip
    assert found - {(entry.target or entry.name.replace("-", "_")).partition(":")[0] for entry in ENTRIES} == set()


def test_the_version() -> None:
    assert run("--version") == (0, f"{__version__}\n", "")


def test_without_arguments_it_shows_its_help() -> None:
    code, out, err = run()
    assert (code, out) == (Exit.USAGE, "")
    assert err.startswith("Usage:")


USAGE = {
    "an unknown command": (["nix"], "No such command 'nix'"),
    "an unknown option": (["wait", "--nix", "a"], "No such option: --nix"),
    "a missing argument": (["wait"], "Missing argument 'RUN'"),
    "an unknown format": (["results", "a", "-o", "yaml"], "'yaml' is not one of"),
    "a number that is none": (["results", "a", "--slowest", "many"], "a valid integer"),
    "a duration that is none": (["wait", "a", "--timeout", "soon"], "'soon' is not a duration"),
    "no duration at all": (["extend", "a", "0s"], "0 seconds"),
    "a port that is none": (["port-forward", "a", "redis", "http"], "'http' is no port"),
    "two parts at once": (["logs", "a", "--service", "redis", "--app", "x"], "give one of them"),
    "a shard of nothing": (["logs", "a", "--shard", "1"], "--shard goes with --suite"),
    "a part of a file for other tools": (["results", "a", "--failed", "-o", "junit"], "always the whole run"),
    "one run of all namespaces": (["status", "a", "-A"], "leave out -A"),
    "nothing to clean": (["clean"], "say which TestRuns"),
    "too much to clean": (["clean", "a", "--finished"], "say which TestRuns"),
    "nobody to ask": (["clean", "a"], "add --yes"),
}


@pytest.mark.parametrize("name", USAGE)
def test_usage(name: str) -> None:
    arguments, message = USAGE[name]
    code, out, err = run(*arguments)
    assert (code, out) == (Exit.USAGE, "")
    last = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(last) == 1, err
    assert message in last[0]
    assert "Traceback" not in err


NO_CLUSTER = [
    ["wait", "a"], ["status"], ["status", "a"], ["results", "a"], ["logs", "a"], ["rerun", "a"], ["diff", "a", "b"],
    ["shell", "a"], ["port-forward", "a", "redis", "6379"], ["extend", "a", "30m"], ["cancel", "a"],
    ["clean", "a", "-y"],
]  # fmt: skip


@pytest.mark.parametrize("arguments", NO_CLUSTER, ids=" ".join)
def test_without_a_cluster(arguments: list[str], tmp_path: Path) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (Exit.CANNOT_ASK, "")
    assert err.startswith("error: ")
    assert f"there is no kubeconfig at {tmp_path / 'none'}" in err
    assert "Traceback" not in err


ENDS = {
    "an error for people": (CliError("the run is gone"), Exit.CANNOT_ASK, "error: the run is gone\n"),
    "an error of usage": (CliError("not so", Exit.USAGE), Exit.USAGE, "error: not so\n"),
    "an error of the product": (SeatrialError("no such field"), Exit.CANNOT_ASK, "error: no such field\n"),
    "an answer of no": (typer.Abort(), Exit.CANNOT_ASK, "error: aborted\n"),
    "a defect": (
        ZeroDivisionError("by zero"),
        Exit.CANNOT_ASK,
        "error: a defect of seatrial: ZeroDivisionError: by zero",
    ),
    "an exit": (typer.Exit(1), Exit.FAILED, ""),
}


@pytest.mark.parametrize("name", ENDS)
def test_ends(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    error, code, message = ENDS[name]

    def status() -> NoReturn:
        raise error

    monkeypatch.setattr("seatrial.cli.commands.status.status", status)
    found = run("status")
    assert found[0] == code
    assert found[2].startswith(message)
    assert "Traceback" not in found[2]


def test_a_defect_shows_where_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def status() -> NoReturn:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("seatrial.cli.commands.status.status", status)
    monkeypatch.setenv("SEATRIAL_DEBUG", "1")
    code, _, err = run("status")
    assert code == Exit.CANNOT_ASK
    assert "Traceback" in err


@pytest.mark.parametrize("code", list(Exit))
def test_what_a_command_returns_is_its_exit_code(code: Exit, monkeypatch: pytest.MonkeyPatch) -> None:
    def status() -> int:
        return code

    monkeypatch.setattr("seatrial.cli.commands.status.status", status)
    assert run("status")[0] == code


def test_a_reader_that_has_enough() -> None:
    """`seatrial ... | head` is no error and no verdict."""
    source = (
        "import sys\nimport seatrial.cli.commands.status as module\n"
        "def status():\n    for _ in range(100_000):\n        print('line')\n"
        "module.status = status\n"
        "from seatrial.cli.__main__ import main\nsys.argv = ['seatrial', 'status']\nmain()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    with process, process.stderr as errors:
        process.stdout.readline()
        process.stdout.close()
        said = errors.read()
        assert process.wait(30) == 141
    assert said == b""


@pytest.mark.parametrize(("program", "shown"), [("seatrial", "seatrial"), ("kubectl-seatrial", "kubectl seatrial")])
def test_it_calls_itself_as_it_was_called(program: str, shown: str) -> None:
    source = f"import sys\nsys.argv = [{program!r}, '--help']\nfrom seatrial.cli.__main__ import main\nmain()"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"Usage: {shown} [OPTIONS] COMMAND")


@pytest.mark.parametrize(("typed", "offered"), [("seatrial res", {"results"}), ("seatrial wait --ti", {"--timeout"})])
def test_completion(typed: str, offered: set[str]) -> None:
    environment = {"_SEATRIAL_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
    done = subprocess.run(
        [sys.executable, "-m", "seatrial.cli"],
        env={"PYTHONPATH": ":".join(sys.path), **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert set(done.stdout.split()) == offered
