"""`python -m kraken`: keep a worker going until SIGTERM.

A worker that was killed by a signal is started again; one that ends by itself ends this process with its status:
0 after SIGTERM, 1 when the database or the port cannot be had, 2 for wrong settings.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from pydantic import ValidationError

from kraken.settings import Settings
from kraken.worker import work

if TYPE_CHECKING:
    from types import FrameType

PAUSE_SECONDS = 0.2
WORKER = "--worker"


def main() -> None:
    try:
        settings = Settings()
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False):
            print(f"{'.'.join(map(str, problem['loc'])).upper() or 'settings'}: {problem['msg']}", file=sys.stderr)
        sys.exit(2)
    if WORKER in sys.argv[1:]:
        work(settings)
    else:
        sys.exit(supervise([sys.executable, "-m", "kraken", WORKER]))


def supervise(command: list[str]) -> int:
    """The status with which the worker ended by itself, or 0 after SIGTERM."""
    stopping = False
    worker: subprocess.Popen[bytes] | None = None

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True
        if worker is not None:
            worker.terminate()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    while not stopping:
        worker = subprocess.Popen(command)
        if stopping:  # the signal came while it was being started
            worker.terminate()
        status = worker.wait()
        if status >= 0 or stopping:
            return max(0, status)
        print(f"the worker was killed by signal {-status}; another is started", file=sys.stderr, flush=True)
        time.sleep(PAUSE_SECONDS)
    return 0


if __name__ == "__main__":
    main()
