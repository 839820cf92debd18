"""The process that stays behind the engine: whatever is left of a run when that ends, however it ends, is killed."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from seatrial.local.processes import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PR_SET_CHILD_SUBREAPER = 36
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
PATIENCE_SECONDS = 5.0
OWN_END_SECONDS = 0.3
"""For what ends by itself when its parent has died, and is not to be killed: PostgreSQL removes its shared memory."""


class EngineKilledError(Exception):
    """The engine was killed by a signal."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def keep(work: Callable[[], int]) -> int:
    """Do the work in a child process and return its exit status; then nothing of what it has started is left.

    The child gets every signal that this process gets, once: it is in a process group of its own, so that Ctrl-C does
    not reach it a second time. It begins with signals held, and calls `take_signals` when it knows what to do with
    them. When this process is killed, the child is told to end (Linux), and ends what it has started. Raises
    EngineKilledError.
    """
    adopt_orphans()
    sys.stdout.flush()
    sys.stderr.flush()
    hold_signals()
    child = os.fork()
    if child == 0:
        _work(work)
    for number in FORWARDED:
        signal.signal(number, lambda number, _: _forward(child, number))
    take_signals()
    _, status = os.waitpid(child, 0)
    hold_signals()  # there is a verdict: what comes now is to have it
    kill_children()
    if os.WIFSIGNALED(status):
        raise EngineKilledError(os.WTERMSIG(status))
    return os.WEXITSTATUS(status)


def _work(work: Callable[[], int]) -> NoReturn:
    code = 70
    try:
        os.setpgid(0, 0)
        parent = os.getppid()
        die_with_parent(signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(code)
        code = work()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def hold_signals() -> None:
    """Let signals that ask for an end wait."""
    signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)


def take_signals() -> None:
    """Let them come, also those that waited."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)


def _forward(child: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, number)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies (Linux, prctl(2))."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def kill_children() -> None:
    """Kill the children that this process has got, and theirs, which become its own in turn (Linux)."""
    began = time.monotonic()
    while (waited := time.monotonic() - began) < PATIENCE_SECONDS:
        for pid in _children() if waited > OWN_END_SECONDS else ():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        except ChildProcessError:
            return
        time.sleep(0.01)  # between two looks: a killed process takes a moment


def _children() -> Iterator[int]:
    """Process ids of our children (Linux)."""
    own = os.getpid()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            if int((folder / "stat").read_bytes().rpartition(b")")[2].split()[1]) == own:
                yield int(folder.name)
