"""How a command ends that did not come to its own end: words on standard error and one of the exit codes."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import typer

from seatrial.cli.exits import CliError, Exit
from seatrial.errors import SeatrialError

if TYPE_CHECKING:
    from collections.abc import Iterator

DEBUG_VARIABLE = "SEATRIAL_DEBUG"
"""Set to anything, a defect shows its stack trace."""
INTERRUPTED = 130
"""Exit code after Ctrl-C, as a shell has it."""


@contextmanager
def interrupts() -> Iterator[None]:
    """Ctrl-C is a KeyboardInterrupt meanwhile."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


# The base of typer's errors about usage; typer exports only this heir of it.
_UsageError = cast("type[Exception]", typer.BadParameter.__mro__[1])


def explain(error: BaseException) -> int:
    """Say what has ended a command, never with a stack trace that nobody has asked for; its exit code."""
    if os.environ.get(DEBUG_VARIABLE):
        traceback.print_exception(error)
    match error:
        case CliError():
            return _say(error.message, error.exit)
        case SeatrialError():
            return _say(str(error), Exit.CANNOT_ASK)
        case _UsageError():
            return _explain_usage(cast("Any", error))
        case typer.Abort():
            return _say("aborted", Exit.CANNOT_ASK)
        case _:
            what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            return _say(f"a defect of seatrial: {what} ({DEBUG_VARIABLE}=1 shows where)", Exit.CANNOT_ASK)


def _say(message: str, code: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return code


def _explain_usage(error: Any) -> int:
    """What is wrong with the command line, and how it is meant."""
    message = error.format_message()
    if type(error).__name__ == "NoArgsIsHelpError":
        print(message, file=sys.stderr)
        return Exit.USAGE
    if error.ctx is not None:
        print(error.ctx.get_usage(), file=sys.stderr)
    print(f"error: {message}", file=sys.stderr)
    if error.ctx is not None:
        print(f"see: {error.ctx.command_path} --help", file=sys.stderr)
    return Exit.USAGE
