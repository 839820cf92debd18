"""How a command ends: the exit codes, and the error that a command raises for people."""

from __future__ import annotations

from enum import IntEnum


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
