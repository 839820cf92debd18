"""The runs of this machine: `<state>/seatrial/runs/<namespace>/<name>/`, read and written here alone.

`<name>` is a link to a folder that one execution has for itself. So a new run replaces an old one of its name at once
and only when it starts, and two of the same name that go on side by side do not write into each other's record.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from seatrial.cli.exits import CliError, Exit
from seatrial.cli.record import Object, RunRecord
from seatrial.local.locks import hold, is_held

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

RUN_FILE = "testrun.json"
SLICES_FILE = "slices.jsonl"
LOGS = "logs"
KEPT_RUNS = 50
DEFAULT_NAMESPACE = "default"
_LOCK_FILE = ".lock"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


def runs_folder() -> Path:
    """Where local runs are kept: below XDG_STATE_HOME, or ~/.local/state."""
    state = os.environ.get("XDG_STATE_HOME", "")
    # A relative path is to be ignored, says the XDG base directory specification.
    folder = Path(state) if os.path.isabs(state) else Path.home() / ".local" / "state"  # noqa: PTH117
    return folder / "seatrial" / "runs"


def run_folders() -> list[Path]:
    """The folders of all local runs, the last one first."""
    with suppress(OSError):
        found = [path.parent for path in runs_folder().glob(f"*/*/{RUN_FILE}") if not path.parent.name.startswith(".")]
        return sorted(found, key=_last_written, reverse=True)
    return []


def run_folder(name: str, namespace: str = "") -> Path | None:
    """The folder of the local run of that name, or None. Of runs in several namespaces the last one counts."""
    return next(
        (path for path in run_folders() if path.name == name and namespace in {"", path.parent.name}),
        None,
    )


def find_record(name: str, namespace: str = "") -> RunRecord | None:
    """The record of the local run of that name, or None. Raises CliError for one that cannot be read."""
    folder = run_folder(name, namespace)
    return None if folder is None else read_record(folder)


def read_record(folder: Path) -> RunRecord:
    """A record out of its folder. Raises CliError that names the file and what is wrong with it."""
    run_file = folder / RUN_FILE
    try:
        run = json.loads(run_file.read_bytes())
        if not isinstance(run, dict) or not isinstance(run.get("metadata"), dict) or not run["metadata"].get("name"):
            raise ValueError("is not a TestRun")  # noqa: TRY301  (one message for every kind of damage)
    except (OSError, ValueError, RecursionError) as error:
        raise CliError(f"the record {run_file} cannot be read: {error}; delete the folder, or run again") from None
    return RunRecord(run, _read_slices(folder / SLICES_FILE))


def _read_slices(path: Path) -> list[Object]:
    """The slices, each as it was written last."""
    try:
        lines = path.read_bytes().split(b"\n") if path.exists() else []
    except OSError as error:
        raise CliError(f"the record {path} cannot be read: {error}") from None
    found: dict[str, Object] = {}
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            item = json.loads(line)
            found[str(item["metadata"]["name"])] = item
            _ = item["spec"]["suite"], int(item["spec"]["shard"]), int(item["spec"]["firstSequence"])
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            if number == len(lines):  # without its line end: whoever wrote it was killed meanwhile
                continue
            raise CliError(f"the record {path} cannot be read: line {number}: {error}") from None
    return list(found.values())


def prune(keep: int = KEPT_RUNS) -> list[Path]:
    """Delete all but the last runs, and what replaced ones have left. Runs that go on stay. Returns what is deleted."""
    removed = []
    for link in run_folders()[keep:]:
        target = link.resolve()
        if is_free(target):
            with suppress(OSError):
                link.unlink() if link.is_symlink() else None
                shutil.rmtree(target)
                removed.append(link)
    current = {path.resolve() for path in run_folders()}
    with suppress(OSError):
        for path in runs_folder().glob("*/.*"):
            # Without its run it is just being made, and whoever makes it has not locked it yet.
            if (path / RUN_FILE).exists() and path.resolve() not in current and is_free(path):
                shutil.rmtree(path, ignore_errors=True)
    return removed


def _last_written(folder: Path) -> float:
    with suppress(OSError):
        return (folder / RUN_FILE).stat().st_mtime
    return 0.0


def is_free(folder: Path) -> bool:
    """Whether no process writes into a folder."""
    try:
        return not is_held(folder / _LOCK_FILE)
    except FileNotFoundError:
        return True
    except OSError:
        return False


class RunWriter:
    """Writes the record of one execution while it goes on. A reader sees each file whole at any moment."""

    def __init__(self, run: Object, folder: Path, lock: int) -> None:
        self.folder = folder
        self._name = str(run["metadata"]["name"])
        self._lock = lock
        self._slices: dict[str, Object] = {}

    @classmethod
    def start(cls, run: Object) -> Self:
        """Make the folder of a run; from now on it is the run of that name. Raises CliError that says what to do."""
        metadata = run["metadata"]
        name, namespace = str(metadata["name"]), str(metadata.get("namespace") or DEFAULT_NAMESPACE)
        for what, text in (("name", name), ("namespace", namespace)):
            if not _NAME.fullmatch(text):
                raise CliError(f"metadata.{what}: {text!r} cannot name a folder", Exit.USAGE)
        home = runs_folder() / namespace
        folder = home / f".{name[:200]}-{secrets.token_hex(6)}"
        with _writing(home), ExitStack() as undoing:
            undoing.callback(shutil.rmtree, folder, ignore_errors=True)
            (folder / LOGS).mkdir(parents=True, mode=0o700)
            lock = hold(folder / _LOCK_FILE)
            undoing.callback(os.close, lock)
            writer = cls(run, folder, lock)
            writer.write_run(run)
            replaced = _point(home / name, folder)
            undoing.pop_all()
        if replaced is not None and is_free(replaced):
            shutil.rmtree(replaced, ignore_errors=True)
        return writer

    def write_run(self, run: Object) -> None:
        """Write the TestRun with its status."""
        self._replace(RUN_FILE, json.dumps(run, separators=(",", ":")).encode() + b"\n")

    def add_slices(self, slices: Iterable[Object]) -> None:
        """Write slices that are new or have grown. Of a slice that is there more than once the last one counts."""
        items = list(slices)
        self._slices.update({str(item["metadata"]["name"]): item for item in items})
        data = b"".join(_line(item) for item in items)
        with _writing(self.folder), (self.folder / SLICES_FILE).open("ab") as file:
            file.write(data)

    def log_path(self, component: str, name: str) -> Path:
        """The file for the log of a service, an application, a suite or the environment."""
        plain = re.sub(r"[^-_.A-Za-z0-9]", "_", f"{component}-{name}")[:200]
        return self.folder / LOGS / f"{plain}.log"

    def close(self) -> None:
        """The run is over: write each slice once, and let others delete the folder."""
        try:
            if self._slices:
                self._replace(SLICES_FILE, b"".join(_line(item) for item in self._slices.values()))
        finally:
            lock, self._lock = self._lock, -1
            if lock >= 0:
                os.close(lock)

    def _replace(self, name: str, data: bytes) -> None:
        draft = self.folder / f"{name}.new"
        with _writing(self.folder):
            try:
                draft.write_bytes(data)
                draft.replace(self.folder / name)
            except OSError:
                draft.unlink(missing_ok=True)
                raise


def _line(item: Object) -> bytes:
    return json.dumps(item, separators=(",", ":")).encode() + b"\n"


def _point(link: Path, folder: Path) -> Path | None:
    """Make a link lead to a folder, at once. Returns where it has led before."""
    before = link.resolve() if link.exists() else None
    if before is not None and not link.is_symlink():
        aside = folder.with_name(f"{folder.name}.replaced")
        link.rename(aside)
        before = aside
    draft = folder.with_name(f"{folder.name}.link")
    draft.symlink_to(folder.name)
    draft.replace(link)
    return before


@contextmanager
def _writing(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CliError(
            f"the record of the run cannot be written to {error.filename or place}: {error.strerror or error}; "
            "make room there, or set XDG_STATE_HOME to a folder that can be written"
        ) from None


def log_files(folder: Path) -> dict[str, Path]:
    """The logs of a run by the name of their file without its end, such as `service-kafka`."""
    with suppress(OSError):
        return {path.stem: path for path in sorted((folder / LOGS).glob("*.log"))}
    return {}
