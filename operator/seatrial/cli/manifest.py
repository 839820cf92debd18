"""The objects of a manifest file, each with the line of every field: one loader for all commands."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seatrial.cli.exits import CliError, Exit
from seatrial.cli.nodes import Document, UnreadableError, read_documents

if TYPE_CHECKING:
    from collections.abc import Iterable

    from seatrial.cli.nodes import Path as FieldPath

STDIN = Path("-")
MAX_BYTES = 8 * 1024 * 1024
"""Of one file. A ConfigMap takes 1 MiB, so that no manifest comes near it."""
_PLAIN = re.compile(r"[A-Za-z_][\w-]*")


def field_name(path: FieldPath) -> str:
    """A path as people write it: `spec.suites[0].name`; a key with dots in it is quoted."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN.fullmatch(part):
            text += f".{part}"
        else:
            shown = part if len(part) <= 60 else f"{part[:57]}..."  # noqa: PLR2004
            text += f"[{shown!r}]"
    return text.removeprefix(".")


@dataclass(frozen=True, order=True)
class Problem:
    """Something that is wrong with a file, or that its author will want to know."""

    source: Path
    line: int
    column: int
    field: str
    message: str
    severity: str = "error"
    """error or warning."""

    def __str__(self) -> str:
        name = "stdin" if self.source == STDIN else str(self.source)
        place = f"{name}:{self.line}:{self.column}" if self.line else name
        kind = "" if self.severity == "error" else f"{self.severity}: "
        return f"{place}: {kind}{f'{self.field}: ' if self.field else ''}{self.message}"


class ManifestError(CliError):
    """A file that cannot be used: every problem that was found, each with its place."""

    def __init__(self, problems: Iterable[Problem], *, readable: bool = True) -> None:
        self.problems = sorted(problems)
        self.readable = readable
        """Whether the file could be read at all."""
        text = "\n".join(str(problem) for problem in self.problems)
        super().__init__(text, Exit.USAGE if readable else Exit.CANNOT_ASK)


@dataclass(frozen=True)
class Manifest:
    """One object of a file."""

    body: dict[str, Any]
    source: Path
    document: Document

    @property
    def kind(self) -> str:
        kind = self.body.get("kind")
        return kind if isinstance(kind, str) else ""

    @property
    def name(self) -> str:
        """Its name, empty where there is none that can be read."""
        metadata = self.body.get("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) else None
        return name if isinstance(name, str) else ""

    def line_of(self, path: FieldPath = ()) -> int:
        """The line of a field, from 1; of the nearest field around it when it is not there."""
        return self.document.position_of(tuple(path))[0]

    def problem(self, path: FieldPath, message: str, severity: str = "error") -> Problem:
        """A problem at a field."""
        line, column = self.document.position_of(path)
        return Problem(self.source, line, column, field_name(path), message, severity)


def load_manifests(path: Path) -> list[Manifest]:
    """The objects of a file, `-` for standard input. Raises ManifestError with file, line and column."""
    manifests, problems = [], []
    try:
        for document in read_documents(_text(path)):
            if not isinstance(document.value, dict):
                what = "a list" if isinstance(document.value, list) else repr(document.value)[:60]
                problems.append(
                    Problem(path, *document.position, "", f"must be an object with apiVersion and kind, not {what}")
                )
                continue
            manifest = Manifest(document.value, path, document)
            problems.extend(
                Problem(path, *again, field_name(key), f"is there twice, first in line {first[0]}: keep one")
                for key, again, first in document.duplicates
            )
            manifests.append(manifest)
    except UnreadableError as error:
        problems.append(Problem(path, *error.position, "", str(error)))
    if not problems and not manifests:
        problems.append(Problem(path, 1, 1, "", "holds no object: expected a TestRun"))
    if problems:
        raise ManifestError(problems)
    return manifests


def load_files(paths: Iterable[Path]) -> tuple[list[Manifest], ManifestError | None]:
    """The objects of those files that can be used, each file once; and what is wrong with the others, if any."""
    manifests: list[Manifest] = []
    problems: list[Problem] = []
    readable = True
    for path in dict.fromkeys(paths):
        try:
            manifests += load_manifests(path)
        except ManifestError as error:
            problems += error.problems
            readable = readable and error.readable
    return manifests, ManifestError(problems, readable=readable) if problems else None


def load_all(paths: Iterable[Path]) -> list[Manifest]:
    """The objects of some files. Raises ManifestError with all that is wrong with any of them."""
    found, wrong = load_files(paths)
    if wrong is not None:
        raise wrong
    return found


def refuse(problems: Iterable[Problem], manifests: Iterable[Manifest]) -> None:
    """Raise ManifestError for what is wrong with objects of which one should be a TestRun; warnings do not count."""
    wrong = [problem for problem in problems if problem.severity == "error"]
    if not wrong and not any(manifest.kind == "TestRun" for manifest in manifests):
        sources = dict.fromkeys(manifest.source for manifest in manifests)
        wrong = [Problem(source, 0, 0, "", "holds no TestRun") for source in sources]
    if wrong:
        raise ManifestError(wrong)


def _text(path: Path) -> str:
    try:
        if path == STDIN:
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
    except IsADirectoryError:
        raise _unreadable(path, "is a folder: name the files in it") from None
    except OSError as error:
        raise _unreadable(path, f"cannot be read: {error.strerror or error}") from None
    except ValueError as error:  # a null byte in its name
        raise _unreadable(path, f"cannot be read: {error}") from None
    if len(data) > MAX_BYTES:
        raise _unreadable(path, f"is larger than {MAX_BYTES // 2**20} MiB: that is no manifest")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"is not UTF-8: byte 0x{data[error.start]:02x} in line {line}"
        raise ManifestError([Problem(path, line, 1, "", message)], readable=False) from None


def _unreadable(path: Path, message: str) -> ManifestError:
    return ManifestError([Problem(path, 0, 0, "", message)], readable=False)
