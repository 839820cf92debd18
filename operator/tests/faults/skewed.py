"""`python -m tests.faults.skewed SECONDS`: the operator with a wall clock that is wrong."""

from __future__ import annotations

import runpy
import sys
import time


def main() -> None:
    skew, right = float(sys.argv[1]), time.time
    time.time = lambda: right() + skew
    runpy.run_module("seatrial", run_name="__main__")


if __name__ == "__main__":
    main()
