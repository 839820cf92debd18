"""Processes of a run: each in a session of its own, so that it can be ended with all that it has started."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_PR_SET_PDEATHSIG = 1
LOOK_SECONDS = 0.01
CLEARING_SECONDS = 10.0
_PRCTL: Callable[..., int] | None = None
if sys.platform == "linux":
    # Looked up here: between fork and exec only what is there already may be called.
    _PRCTL = ctypes.CDLL(None, use_errno=True).prctl


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Ask the kernel for a signal when the parent dies, whatever it dies of (Linux, prctl(2))."""
    if _PRCTL is not None:
        _PRCTL(_PR_SET_PDEATHSIG, number, 0, 0, 0)


class Process:
    """One process and its session."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        folder: Path,
        output: int,
        identity: tuple[int, int | None] | None = None,
        last_signal: int = signal.SIGKILL,
    ) -> Self:
        """Start a program that writes to a file descriptor, as another user and group if need be. Raises OSError.

        `last_signal` is what the kernel sends it when this process dies.
        """
        other: dict[str, Any] = {}
        if identity is not None:
            other = {"user": identity[0], "group": identity[1], "extra_groups": []}
        process = await asyncio.create_subprocess_exec(
            *command,
            env=dict(env),
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=partial(die_with_parent, last_signal),
            **other,
        )
        return cls(process)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def wait(self) -> int:
        """The exit status, as a shell and Kubernetes have it: 128 and the number of the signal that has killed it."""
        code = await self._process.wait()
        return 128 - code if code < 0 else code

    async def stop(self, grace_seconds: float, number: int = signal.SIGTERM) -> None:
        """Ask it to end, and kill what is left of its session after some time."""
        if self._process.returncode is None:
            self._signal(number)
            with suppress(TimeoutError):
                async with asyncio.timeout(grace_seconds):
                    await self._process.wait()
        self._signal_session(signal.SIGKILL)
        await self._process.wait()

    async def stop_all(self, grace_seconds: float, number: int = signal.SIGTERM) -> None:
        """Ask all of its session to end, and kill what is left of it after some time."""
        self._signal_session(number)
        await self._process.wait()
        await asyncio.to_thread(_await_orphans, self.pid, grace_seconds)
        self._signal_session(signal.SIGKILL)

    @property
    def was_killed(self) -> bool:
        """Whether a signal has ended it."""
        return (self._process.returncode or 0) < 0

    def terminate(self) -> None:
        """Ask the process itself to end."""
        self._signal(signal.SIGTERM)

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    def _signal_session(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


async def clear_up(command: Sequence[str], env: Mapping[str, str], folder: Path) -> None:
    """Run a command that removes what processes have left; it may fail, for that may be gone."""
    with suppress(OSError, TimeoutError):
        process = await Process.start(command, env=env, folder=folder, output=subprocess.DEVNULL)
        async with asyncio.timeout(CLEARING_SECONDS):
            await process.wait()


def _await_orphans(group: int, seconds: float) -> None:
    """Until nothing of a process group is left that has become ours (see `adopt_orphans`), or the time is over."""
    deadline = time.monotonic() + seconds
    with suppress(ChildProcessError):
        while time.monotonic() < deadline:
            os.waitpid(-group, os.WNOHANG)
            time.sleep(LOOK_SECONDS)
