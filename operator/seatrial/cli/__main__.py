"""`seatrial`, and `kubectl seatrial`, which is the same program."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

# Ctrl-C ends this program as it ends any other, without a stack trace. Commands that have something to say then, or
# something to clear up, take it into their own hands.
signal.signal(signal.SIGINT, signal.SIG_DFL)

from typer.main import get_command  # noqa: E402

from seatrial.cli.app import app  # noqa: E402


def main() -> None:
    """Run one command line and exit with its code."""
    called = Path(sys.argv[0]).name
    get_command(app)(prog_name="kubectl seatrial" if called.startswith("kubectl-") else "seatrial")


if __name__ == "__main__":
    main()
