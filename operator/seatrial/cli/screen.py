"""How text gets to people: aligned columns, colours on a terminal, and nothing that a terminal would obey."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

from seatrial.cli.export.texts import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

_STYLES = {"good": "32", "bad": "31", "odd": "33", "dim": "2", "strong": "1"}
STYLE_OF = {
    "Passed": "good",
    "Failed": "bad",
    "Error": "bad",
    "Cancelled": "odd",
    "passed": "good",
    "failed": "bad",
    "error": "bad",
    "xpassed": "odd",
}
"""Styles of phases, of states of suites, and of outcomes."""
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def is_colourful(stream: TextIO) -> bool:
    """Whether a stream takes colours: a terminal, unless NO_COLOR (no-color.org) or TERM=dumb says otherwise."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, style: str, stream: TextIO | None = None) -> str:
    """Text in a style on a terminal, as it is elsewhere."""
    code = _STYLES.get(style)
    return f"\033[{code}m{text}\033[0m" if code and is_colourful(stream or sys.stdout) else text


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows with their cells aligned as kubectl aligns them; nothing is cut, and no line ends in spaces."""
    if not rows:
        return []
    plain = [[clean(cell, 2000).replace("\n", " ") for cell in row] for row in rows]
    widths = [max(len(row[index]) for row in plain) for index in range(len(plain[0]))]
    return ["   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in plain]


def notice(text: str) -> None:
    """Tell something on standard error, beside the answer."""
    print(text, file=sys.stderr, flush=True)


def age(time: str | None, now: float) -> str:
    """Since a time of an object, as kubectl shows it: 45s, 12m, 3h, 5d."""
    if not time:
        return "<unknown>"
    seconds = int(max(0.0, now - datetime.fromisoformat(time).timestamp()))
    if seconds < 2 * _MINUTE:
        return f"{seconds}s"
    if seconds < 2 * _HOUR:
        return f"{seconds // _MINUTE}m"
    return f"{seconds // _HOUR}h" if seconds < 2 * _DAY else f"{seconds // _DAY}d"


def clock(time: str | None) -> str:
    """A time of a status as the local time of day."""
    if not time:
        return ""
    return datetime.fromisoformat(time).replace(tzinfo=None).isoformat(sep=" ", timespec="seconds") + " UTC"


def now() -> float:
    """Seconds since the epoch."""
    return datetime.now(UTC).timestamp()
