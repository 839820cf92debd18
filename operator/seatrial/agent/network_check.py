"""Two ends of a connection that network policies allow, or refuse on one of its ends: is that what happens?

`python -m seatrial.agent.network_check serve` listens, `... dial HOST` tries each port and writes what it saw to the
file of last words, which the kubelet puts into the pod's status.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

OPEN, NOT_IN, NOT_OUT = 8471, 8472, 8473
"""Ports: allowed on both ends; refused where it arrives; refused where it leaves."""
PORTS = (OPEN, NOT_IN, NOT_OUT)
LAST_WORDS = Path("/dev/termination-log")
DIAL_SECONDS = 1.0
REACH_SECONDS = 20.0
"""How long the port that is allowed may take to answer."""
REFUSE_SECONDS = 10.0
"""How long a port that is not allowed may still answer: some plugins take a moment to learn of a new pod."""
IN_A_ROW = 3


def serve() -> None:
    """Accept connections on every port, until killed."""
    with selectors.DefaultSelector() as selector, ExitStack() as stack:
        for port in PORTS:
            selector.register(stack.enter_context(socket.create_server(("", port))), selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if isinstance(key.fileobj, socket.socket):
                    key.fileobj.accept()[0].close()


def reaches(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=DIAL_SECONDS).close()
    except OSError:
        return False
    return True


def opens(host: str, port: int) -> bool:
    """Whether a port answers within the time that it may take."""
    deadline = time.monotonic() + REACH_SECONDS
    while not (reached := reaches(host, port)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return reached


def closes(host: str, port: int) -> bool:
    """Whether a port stops answering, for several attempts in a row, within the time that it may take."""
    deadline = time.monotonic() + REFUSE_SECONDS
    refused = 0
    while refused < IN_A_ROW and time.monotonic() < deadline:
        refused = 0 if reaches(host, port) else refused + 1
    return refused == IN_A_ROW


def dial(host: str) -> dict[str, bool]:
    """What can be seen from here."""
    if not opens(host, OPEN):
        return {"reached": False, "ingress": False, "egress": False}
    with ThreadPoolExecutor(2) as pool:  # a refused connection takes a second each time
        ingress, egress = pool.map(lambda port: closes(host, port), (NOT_IN, NOT_OUT))
    return {"reached": True, "ingress": ingress, "egress": egress}


def main(arguments: list[str]) -> int:
    match arguments:
        case ["serve"]:
            serve()
        case ["dial", host]:
            LAST_WORDS.write_text(json.dumps(dial(host)))
        case _:
            print("usage: network_check serve | dial HOST", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
