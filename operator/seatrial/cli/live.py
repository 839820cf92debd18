"""The display of progress on standard error: lines, or on a terminal a picture that moves below them."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from seatrial.cli.export.texts import clean
from seatrial.cli.progress import OVER, Line, changes, done_of, is_over, told
from seatrial.cli.screen import is_colourful

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import Console, RenderableType
    from rich.live import Live

MAX_FAILURES = 10
"""Shown while the run goes on; `seatrial results --failed` shows all."""
REFRESH_PER_SECOND = 8
WIDTH = 24


class Progress(Protocol):
    """Takes the status of a TestRun whenever it has changed."""

    def show(self, status: Mapping[str, Any]) -> None:
        """Show what is new in this status."""

    def say(self, text: str) -> None:
        """Show a line about something else, such as a connection that broke."""


class PlainProgress:
    """One line an event, none twice."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._status: Mapping[str, Any] = {}
        self._shown: set[str] = set()
        self._failures = 0

    def show(self, status: Mapping[str, Any]) -> None:
        for line in changes(self._status, status):
            if line.kind == "failure":
                self._failures += 1
                if self._failures > MAX_FAILURES:
                    continue
            self.write(line)
        self._status = status

    def say(self, text: str) -> None:
        self.write(Line("notice", text))

    def write(self, line: Line) -> None:
        """Print a line that was not printed before."""
        text = " ".join(clean(line.text).split())
        if text not in self._shown:
            self._shown.add(text)
            print(text, file=self._stream, flush=True)


class LiveProgress:
    """Failures and ends as lines that stay; services, suites and the clock in a picture below them."""

    LASTING = frozenset({"failure", "suite", "verdict", "notice"})

    def __init__(self, console: Console, live: Live) -> None:
        self._console = console
        self._live = live
        self._lines = _Styled(console)
        self._status: Mapping[str, Any] = {}

    def show(self, status: Mapping[str, Any]) -> None:
        for line in changes(self._status, status):
            if line.kind in self.LASTING and (line.kind != "suite" or line.good is not None):
                self._lines.write(line)
        self._status = status
        if is_over(status):
            self._live.update("", refresh=True)

    def say(self, text: str) -> None:
        self._lines.write(Line("notice", text))

    def picture(self) -> RenderableType:
        """What the run is at."""
        return render(self._status, time.time())


class _Styled(PlainProgress):
    def __init__(self, console: Console) -> None:
        super().__init__(sys.stderr)
        self._console = console

    def write(self, line: Line) -> None:
        text = " ".join(clean(line.text).split())
        if text not in self._shown:
            self._shown.add(text)
            style = {True: "green", False: "red", None: "dim"}[line.good]
            self._console.print(text, style=style, markup=False, highlight=False)


def render(status: Mapping[str, Any], now: float) -> RenderableType:
    """The picture of a status: phase and time, services and applications, suites with their bars."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    from seatrial.cli.cases import seconds_of

    started = seconds_of((status.get("timings") or {}).get("started"))
    passed = f"  {max(0.0, now - started):.0f}s" if started else ""
    head = Text.assemble((str(status.get("phase") or "Pending"), "bold"), (passed, "dim"))
    parts = Text()
    for item in (*(status.get("services") or ()), *(status.get("applications") or ())):
        mark, style = ("✓", "green") if item["ready"] else ("…", "yellow")
        parts.append(f"  {mark} ", style).append(clean(item["name"]))
        seconds = item.get("readyAfterSeconds")
        parts.append(f" {seconds:.1f}s" if seconds is not None else "", "dim")
    grid = Table.grid(padding=(0, 2))
    for suite in status.get("suites") or ():
        done, total = done_of(suite), suite.get("total", 0)
        style = {"Passed": "green", "Failed": "red", "Error": "red"}.get(suite["state"], "")
        broken = suite.get("failed", 0) + suite.get("errors", 0)
        bar = ProgressBar(
            total=max(total, 1),
            completed=done,
            width=WIDTH,
            complete_style="red" if broken else "green",
            finished_style="red" if broken else "green",
            pulse=suite["state"] == "Running" and not total,
        )
        number = f"{done}/{total}" if total else ""
        counts = told(suite) if suite["state"] in OVER or broken else ""
        grid.add_row(
            Text(f"  {clean(suite['name'])}"), Text(suite["state"], style), bar, Text(number), Text(counts, "dim")
        )
    return Group(
        *(part for part in (head, parts if parts.plain else None, grid if grid.row_count else None) if part is not None)
    )


class _Picture:
    """Drawn anew at each refresh, so that the clock goes on."""

    progress: LiveProgress | None = None

    def __rich__(self) -> RenderableType:
        return "" if self.progress is None else self.progress.picture()


@contextmanager
def progress_on(stream: TextIO | None = None) -> Iterator[Progress]:
    """A display that fits the stream: a moving picture on a terminal, else plain lines."""
    stream = stream or sys.stderr
    if not is_colourful(stream):
        yield PlainProgress(stream)
        return
    from rich.console import Console
    from rich.live import Live

    console, picture = Console(file=stream), _Picture()
    with Live(picture, console=console, refresh_per_second=REFRESH_PER_SECOND, transient=True) as live:
        picture.progress = LiveProgress(console, live)
        yield picture.progress
