"""Answers the network plugin: a pod starts only once the rules for its address are in the kernel, so it is never open.

One connection per call; a line of JSON with `command`, `uid` and `address` comes, `ok` or `timeout` goes back.
"""

from __future__ import annotations

import json
import socketserver
import threading
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from pathlib import Path

    from hack.cluster.netpol.store import Store

HOLD_SECONDS = 20.0


class Server(socketserver.ThreadingUnixStreamServer):
    """Listens on a unix socket: the plugin may run in any network namespace."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, path: Path, store: Store) -> None:
        self.store = store
        path.unlink(missing_ok=True)
        super().__init__(str(path), Handler)

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(socketserver.StreamRequestHandler):
    """One call of the plugin."""

    timeout = HOLD_SECONDS

    def handle(self) -> None:
        call = json.loads(self.rfile.readline())
        store = cast("Server", self.server).store
        done = True
        if call["command"] == "DEL":
            store.take_address(call["uid"])
        else:
            done = store.give_address(call["uid"], call["address"], HOLD_SECONDS)
        self.wfile.write(b"ok\n" if done else b"timeout\n")
