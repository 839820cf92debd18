"""`seatrial`, and `kubectl seatrial`, which is the same program."""

from __future__ import annotations

import sys
from pathlib import Path

from typer.main import get_command

from seatrial.cli.app import app


def main() -> None:
    """Run one command line and exit with its code."""
    called = Path(sys.argv[0]).name
    get_command(app)(prog_name="kubectl seatrial" if called.startswith("kubectl-") else "seatrial")


if __name__ == "__main__":
    main()
