"""The runs of this machine: one folder each, `<state>/seatrial/runs/<namespace>/<name>/`."""

from __future__ import annotations

import json
import os
from pathlib import Path

from seatrial.cli.exits import CliError
from seatrial.cli.record import RunRecord

RUN_FILE = "testrun.json"
SLICES_FILE = "slices.jsonl"


def runs_folder() -> Path:
    """Where local runs are kept: below XDG_STATE_HOME, or ~/.local/state."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "seatrial" / "runs"


def run_folder(name: str) -> Path | None:
    """The folder of the local run of that name, or None. Of runs in several namespaces the last one counts."""
    if "/" in name or name in {"", ".", ".."}:
        return None
    found = [path for path in runs_folder().glob(f"*/{name}/{RUN_FILE}") if path.is_file()]
    return max(found, key=lambda path: path.stat().st_mtime).parent if found else None


def find_record(name: str) -> RunRecord | None:
    """The record of the local run of that name, or None. Raises CliError for one that cannot be read."""
    folder = run_folder(name)
    return None if folder is None else read_record(folder)


def read_record(folder: Path) -> RunRecord:
    """A record out of its folder. Raises CliError that names the file."""
    try:
        run = json.loads((folder / RUN_FILE).read_text())
        slices = folder / SLICES_FILE
        lines = slices.read_text().splitlines() if slices.exists() else []
        return RunRecord(run, [json.loads(line) for line in lines if line.strip()])
    except (OSError, ValueError) as error:
        raise CliError(f"the record in {folder} cannot be read: {error}") from None
