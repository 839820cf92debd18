"""Init container of suites that are not pytest: ``python -m seatrial.agent.gate`` ends when the gate opens."""

from __future__ import annotations

import _thread
import os
import signal
import sys
import time

from seatrial.agent.inpod.supervisor import wait_at_gate

STOP = (signal.SIGTERM, signal.SIGINT)


def main() -> None:
    """Exit status 0: open; 1: failed or not in time, with a message; 128 + signal: asked to stop."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP)  # before the thread starts, which inherits it
    begin = time.monotonic()

    def wait() -> None:
        try:
            url, seconds = os.environ["SEATRIAL_GATE"], float(os.environ["SEATRIAL_GATE_SECONDS"])
            outcome, message = wait_at_gate(url, seconds)
        except KeyError as error:
            outcome, message = "unset", f"the variable {error.args[0]} is not set"
        except ValueError as error:
            outcome, message = "wrong", str(error)
        if outcome == "open":
            end(0, f"the gate opened after {time.monotonic() - begin:.3f} s")
        end(1, f"the environment failed: {message}" if outcome == "failed" else message)

    # A thread, because resolving a name blocks for seconds and PID 1 must end at once when it is asked to.
    _thread.start_new_thread(wait, ())
    end(128 + signal.sigwait(STOP), "stopped while waiting at the gate")


def end(status: int, message: str) -> None:
    """Leave, whatever the other thread is blocked in."""
    print(message, file=sys.stderr if status else sys.stdout, flush=True)
    os._exit(status)


if __name__ == "__main__":
    main()
