"""TestRuns of manifests, one after the other on this machine, with their record and what people see of them."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seatrial.cli.commands.wait import tell_end
from seatrial.cli.exits import CliError, Exit
from seatrial.cli.lint import lint
from seatrial.cli.live import progress_on
from seatrial.cli.manifest import ManifestError, load_manifests
from seatrial.cli.records import LOGS, RunWriter, prune
from seatrial.local.engine import Folders, LocalRun, run_locally
from seatrial.local.keeper import adopt_orphans, kill_children
from seatrial.local.scratch import scratch
from seatrial.local.servers import this_machine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from seatrial.cli.options import Output
    from seatrial.local.images import LocalMapping

Object = dict[str, Any]

INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
KINDS = frozenset({"ConfigMap", "Secret"})


@dataclass(frozen=True)
class Order:
    """What is to be run."""

    runs: tuple[tuple[Object, tuple[Object, ...]], ...]
    """Each TestRun with the ConfigMaps and Secrets that it may name."""
    mapping: LocalMapping
    output: Output
    folder: Path
    """For the time of the runs."""

    @classmethod
    @contextmanager
    def make(cls, files: Sequence[Path], mapping: LocalMapping, output: Output) -> Iterator[Order]:
        """Read the manifests, and make a folder for the time of the runs. Raises CliError."""
        runs = tuple(item for file in files for item in _read(file, mapping))
        with scratch() as folder:
            yield cls(runs, mapping, output, folder)


def _read(file: Path, mapping: LocalMapping) -> list[tuple[Object, tuple[Object, ...]]]:
    try:
        manifests = load_manifests(file)
    except ManifestError as error:
        raise CliError(str(error), Exit.USAGE if error.readable else Exit.CANNOT_ASK) from None
    if problems := [item for item in lint(manifests) if item.severity == "error"]:
        raise CliError(str(ManifestError(problems)), Exit.USAGE)
    objects = [item.body for item in manifests if item.kind in KINDS]
    runs = [item.body for item in manifests if item.kind == "TestRun"]
    if not runs:
        raise CliError(f"{file}: holds no TestRun", Exit.USAGE)
    return [(run, (*objects, *mapping.objects())) for run in runs]


def execute(order: Order) -> int:
    """Run everything; the worst verdict is the exit code. Nothing that was started is left, whoever looks after us."""
    adopt_orphans()
    try:
        return asyncio.run(_execute(order))
    finally:
        kill_children()
        shutil.rmtree(order.folder, ignore_errors=True)


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
    bodies = []
    try:
        for index, (body, objects) in enumerate(order.runs):
            folder = order.folder / str(index)
            folder.mkdir(mode=0o711)
            done = await _one(body, objects, folder, order, interrupted)
            bodies.append(done.body)
            if interrupted.is_set():
                break
    except asyncio.CancelledError:
        print("error: interrupted twice; everything was stopped, and there is no verdict", file=sys.stderr)
        return Exit.CANNOT_ASK
    return max(tell_end(body, order.output) for body in bodies)


async def _one(
    body: Object, objects: Sequence[Object], folder: Path, order: Order, interrupted: asyncio.Event
) -> LocalRun:
    writer: RunWriter | None = None

    def start(item: Object) -> Path:
        nonlocal writer
        writer = RunWriter.start(item)
        return writer.folder / LOGS

    with progress_on(sys.stderr) as progress:

        def on_status(item: Object) -> None:
            progress.show(item["status"])
            if writer is not None:
                writer.write_run(item)

        def tell(service: str, provider: str) -> None:
            progress.say(f"{service}: {provider}")

        try:
            done = await run_locally(
                body, objects, Folders(folder, start), order.mapping, this_machine(), on_status, tell, interrupted
            )
            if writer is not None:
                writer.write_run(done.body)
                writer.add_slices(done.slices)
        finally:
            if writer is not None:
                writer.close()
    prune()
    return done
