"""`python child.py COMMAND...`: becomes the command, which is killed when the process that started it is gone.

Run as a script, with the standard library alone. A test that is killed leaves no server behind.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the process that wanted this one is gone")
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606  (there is no shell, and none is wanted)
