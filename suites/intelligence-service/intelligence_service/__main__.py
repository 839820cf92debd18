"""`python -m intelligence_service`: keeps a worker running until SIGTERM.

A worker that is killed is followed by a new one at once, which goes on from the committed offsets. One that ends by
itself (wrong settings, no broker before the deadline) ends this process with the same status.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import FrameType

FIRST_PAUSE_SECONDS: Final = 0.05
LONGEST_PAUSE_SECONDS: Final = 5.0
HEALTHY_SECONDS: Final = 10.0
"""A worker that lived longer starts the pauses anew."""
WORKER: Final = (sys.executable, "-m", "intelligence_service.worker")


class Supervisor:
    """One worker at a time. Its standard input is a pipe from here: when this process dies it ends, too."""

    def __init__(self) -> None:
        self._worker: subprocess.Popen[bytes] | None = None
        self._stopping = False
        self._memory = os.memfd_create("last-kill")

    def run(self) -> int:
        """Status of the worker that ended by itself; 0 after a signal."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        pause = FIRST_PAUSE_SECONDS
        while not self._stopping:
            started = time.monotonic()
            environment = os.environ | {"KILL_MEMORY": str(self._memory)}
            self._worker = subprocess.Popen(WORKER, stdin=subprocess.PIPE, env=environment, pass_fds=[self._memory])
            if self._stopping:  # the signal came before there was somebody to pass it on to
                self._worker.terminate()
            status = self._worker.wait()
            if status >= 0 or self._stopping:
                return max(status, 0)
            print(f"the worker was killed by signal {-status}; the next one starts", file=sys.stderr, flush=True)
            pause = FIRST_PAUSE_SECONDS if time.monotonic() - started > HEALTHY_SECONDS else pause
            time.sleep(pause)  # one that dies at its start must not take the whole machine
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        return 0

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True
        if self._worker is not None:
            self._worker.terminate()


def main() -> None:
    sys.exit(Supervisor().run())


if __name__ == "__main__":
    main()
