"""TestRuns of manifests, one after the other on this machine, with their record and what people see of them."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seatrial.cli.commands.wait import tell_ends
from seatrial.cli.ends import DEBUG_VARIABLE, explain
from seatrial.cli.exits import Exit
from seatrial.cli.lint import lint
from seatrial.cli.lint.objects import CONFIG_MAP, SECRET, TEST_RUN
from seatrial.cli.lint.references import references
from seatrial.cli.live import progress_on
from seatrial.cli.manifest import load_all, refuse
from seatrial.cli.records import LOGS, RunWriter, prune
from seatrial.local.engine import Folders, LocalRun, run_locally
from seatrial.local.keeper import adopt_orphans, hold_signals, kill_children, take_signals
from seatrial.local.scratch import scratch
from seatrial.local.servers import this_machine
from seatrial.local.servers.docker_client import remove_containers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from seatrial.cli.manifest import Manifest, Problem
    from seatrial.cli.options import Output
    from seatrial.local.images import LocalMapping

Object = dict[str, Any]

INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
KINDS = frozenset({CONFIG_MAP, SECRET})


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
        runs = tuple(_read(files, mapping))
        hold_signals()  # from here on there is something to clear up
        with scratch() as folder:
            yield cls(runs, mapping, output, folder)


def _read(files: Sequence[Path], mapping: LocalMapping) -> Iterator[tuple[Object, tuple[Object, ...]]]:
    manifests = load_all(files)
    refuse(lint(manifests), manifests)
    objects = (*(item.body for item in manifests if item.kind in KINDS), *mapping.objects())
    refuse(_check_references(manifests, objects), manifests)
    for item in manifests:
        if item.kind == TEST_RUN:
            yield item.body, objects


def _check_references(manifests: Sequence[Manifest], objects: Sequence[Object]) -> Iterator[Problem]:
    """What a cluster may have elsewhere, and this machine cannot."""
    known = {(item["kind"], item["metadata"]["name"]) for item in objects}
    for manifest in manifests:
        if manifest.kind != TEST_RUN:
            continue
        for path, kind, reference in references(manifest.body["spec"], ("spec",)):
            if (kind, reference["name"]) not in known:
                option = f", or give --configmap {reference['name']}=DIR" if kind == CONFIG_MAP else ""
                message = f"there is no {kind} {reference['name']} among these files: write it into one of them{option}"
                yield manifest.problem((*path, "name"), message)


def execute(order: Order) -> int:
    """Run everything; the worst verdict is the exit code. Nothing that was started is left, whoever looks after us."""
    adopt_orphans()
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter() if os.environ.get(DEBUG_VARIABLE) else _Plain())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it warns of children that were ended on purpose
    try:
        return asyncio.run(_execute(order))
    except Exception as error:  # noqa: BLE001  (this is a process of its own: nobody above would say what it was)
        return explain(error)
    finally:
        kill_children()
        remove_containers(order.folder)
        shutil.rmtree(order.folder, ignore_errors=True)


class _Plain(logging.Formatter):
    """Messages as lines for people, without stack traces."""

    def formatException(self, ei: Any) -> str:  # noqa: N802  (its name there)
        return f"{ei[0].__name__}: {ei[1]} ({DEBUG_VARIABLE}=1 shows where)"


async def _execute(order: Order) -> int:
    interrupted = asyncio.Event()
    whole = asyncio.current_task()
    loop = asyncio.get_running_loop()

    def interrupt(number: int) -> None:
        if not interrupted.is_set():
            interrupted.set()  # first: nobody may be there to read
            print(f"{signal.Signals(number).name}: cancelling; once more ends it at once", file=sys.stderr)
        elif whole is not None and not whole.cancelling():  # a third one is not to interrupt the clearing up
            whole.cancel()

    for number in INTERRUPTS:
        loop.add_signal_handler(number, interrupt, number)
    take_signals()
    bodies = []
    try:
        for index, (body, objects) in enumerate(order.runs):
            folder = order.folder / str(index)
            folder.mkdir(mode=0o711)
            done = await _one(body, objects, folder, order, interrupted)
            bodies.append(done.body)
            if interrupted.is_set():
                left = [str(body["metadata"].get("name", "one")) for body, _ in order.runs[index + 1 :]]
                if left:
                    print(f"not started: {', '.join(left)}", file=sys.stderr)
                break
    except asyncio.CancelledError:
        print("error: interrupted twice: all was stopped at once; run it again for a verdict", file=sys.stderr)
        return Exit.CANNOT_ASK
    finally:
        for number in INTERRUPTS:  # what is left to do takes no time, and is not to be left undone
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)
    return tell_ends(bodies, order.output)


async def _one(
    body: Object, objects: Sequence[Object], folder: Path, order: Order, interrupted: asyncio.Event
) -> LocalRun:
    writer: RunWriter | None = None

    def start(item: Object) -> Path:
        nonlocal writer
        writer = RunWriter.start(item)
        return writer.folder / LOGS

    with progress_on(sys.stderr) as progress:

        def on_change(item: Object) -> None:
            if item["kind"] == TEST_RUN:
                progress.show(item["status"])
                if writer is not None:
                    writer.write_run(item)
            elif writer is not None:
                writer.add_slices([item])

        def tell(service: str, provider: str) -> None:
            progress.say(f"{service}: {provider}")

        try:
            done = await run_locally(
                body, objects, Folders(folder, start), order.mapping, this_machine(), on_change, tell, interrupted
            )
        finally:
            if writer is not None:
                writer.close()
    prune()
    return done
