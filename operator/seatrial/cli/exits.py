"""How a command ends: the exit codes, and the error that a command raises for people."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Exit(IntEnum):
    """Exit codes, the same for every command."""

    PASSED = 0
    """All tests passed; for a command without a verdict: done."""
    FAILED = 1
    """Tests failed."""
    CANNOT_ASK = 2
    """The question has no answer: no cluster, no such run, a run that ended in Error or was cancelled."""
    USAGE = 3
    """The command line or a manifest is wrong."""


class CliError(Exception):
    """What went wrong, for people: the object, what was seen, what was expected, the next command."""

    def __init__(self, message: str, exit: Exit = Exit.CANNOT_ASK) -> None:  # noqa: A002  (the name that its readers use)
        super().__init__(message)
        self.message = message
        self.exit = exit


def exit_of(status: Mapping[str, Any]) -> Exit | None:
    """The exit code of a TestRun's status; None while it is not over."""
    conditions = {item["type"]: item for item in status.get("conditions") or ()}
    if conditions.get("Finished", {}).get("status") != "True":
        return None
    succeeded = conditions.get("Succeeded", {})
    if succeeded.get("status") == "True":
        return Exit.PASSED
    return Exit.FAILED if succeeded.get("reason") == "TestsFailed" else Exit.CANNOT_ASK
