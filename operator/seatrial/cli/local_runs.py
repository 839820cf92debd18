"""TestRuns of manifests, one after the other on this machine, with their record and what people see of them."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seatrial.cli.exits import CliError, Exit
from seatrial.cli.lint import lint
from seatrial.cli.manifest import ManifestError, load_manifests
from seatrial.cli.records import LOGS, RunWriter, prune
from seatrial.local.engine import Folders, LocalRun, run_locally
from seatrial.local.servers import this_machine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from seatrial.local.images import LocalMapping

Object = dict[str, Any]

ROOM_BYTES = 1 << 30
"""As much as a run with every service may need; memory that has less is not used for it."""
EXITS = {"Passed": Exit.PASSED, "Failed": Exit.FAILED}
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
KINDS = frozenset({"ConfigMap", "Secret"})


@dataclass(frozen=True)
class Order:
    """What is to be run."""

    runs: tuple[tuple[Object, tuple[Object, ...]], ...]
    """Each TestRun with the ConfigMaps and Secrets that it may name."""
    mapping: LocalMapping
    as_json: bool
    scratch: Path

    @classmethod
    @contextmanager
    def make(cls, files: Sequence[Path], mapping: LocalMapping, *, as_json: bool) -> Iterator[Order]:
        """Read the manifests, and make a folder for the time of the runs. Raises CliError."""
        runs = tuple(item for file in files for item in _read(file, mapping))
        scratch = _scratch()
        try:
            yield cls(runs, mapping, as_json, scratch)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _read(file: Path, mapping: LocalMapping) -> list[tuple[Object, tuple[Object, ...]]]:
    try:
        manifests = load_manifests(file)
        problems = [item for item in lint(manifests) if item.severity == "error"]
        if problems:
            raise ManifestError(problems)
    except ManifestError as error:
        raise CliError(str(error), Exit.USAGE if error.readable else Exit.CANNOT_ASK) from None
    objects = [item.body for item in manifests if item.kind in KINDS]
    runs = [item.body for item in manifests if item.kind == "TestRun"]
    if not runs:
        raise CliError(f"{file}: holds no TestRun", Exit.USAGE)
    return [(run, (*objects, *mapping.objects())) for run in runs]


def _scratch() -> Path:
    """A new folder, in memory where there is room enough."""
    memory = Path("/dev/shm")  # noqa: S108  (a memory file system of Linux)
    try:
        if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free >= ROOM_BYTES:
            return Path(tempfile.mkdtemp(prefix="seatrial-", dir=memory))
        return Path(tempfile.mkdtemp(prefix="seatrial-"))
    except OSError as error:
        raise CliError(f"no folder can be made for the data of the run: {error}; set TMPDIR to one with room") from None


def execute(order: Order) -> int:
    """Run everything; the worst verdict is the exit code."""
    return asyncio.run(_execute(order))


async def _execute(order: Order) -> int:
    interrupted = asyncio.Event()
    whole = asyncio.current_task()
    loop = asyncio.get_running_loop()

    def interrupt(number: int) -> None:
        if interrupted.is_set() and whole is not None:
            whole.cancel()
        elif not interrupted.is_set():
            print(f"{signal.Signals(number).name}: cancelling; once more ends it at once", file=sys.stderr)
        interrupted.set()

    for number in INTERRUPTS:
        loop.add_signal_handler(number, interrupt, number)
    worst = Exit.PASSED
    bodies = []
    try:
        for index, (body, objects) in enumerate(order.runs):
            folder = order.scratch / str(index)
            folder.mkdir(mode=0o711)
            done = await _one(body, objects, folder, order, interrupted)
            bodies.append(done.body)
            worst = max(worst, EXITS.get(done.body["status"].get("phase", ""), Exit.CANNOT_ASK))
            if interrupted.is_set():
                break
    except asyncio.CancelledError:
        print("error: interrupted twice; everything was stopped, and there is no verdict", file=sys.stderr)
        return Exit.CANNOT_ASK
    if order.as_json:
        print(json.dumps(bodies[0] if len(order.runs) == 1 else bodies, indent=1))
    return worst


async def _one(
    body: Object, objects: Sequence[Object], folder: Path, order: Order, interrupted: asyncio.Event
) -> LocalRun:
    last: Object = {}
    writer: RunWriter | None = None
    os.chmod(order.scratch, 0o711)  # noqa: PTH101  (servers of another user go through it)
    from seatrial.cli.plain import Plain  # noqa: PLC0415

    shown = Plain(sys.stderr)

    def on_status(item: Object) -> None:
        nonlocal last
        shown.show(last, item)
        last = item
        if writer is not None:
            writer.write_run(item)

    def start(item: Object) -> Path:
        nonlocal writer
        writer = RunWriter.start(item)
        return writer.folder / LOGS

    done = await run_locally(
        body, objects, Folders(folder, start), order.mapping, this_machine(), on_status, shown.tell, interrupted
    )
    if writer is not None:
        writer.add_slices(done.slices)
        writer.write_run(done.body)
        writer.close()
        prune()
    return done
