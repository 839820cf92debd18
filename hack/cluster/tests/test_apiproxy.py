"""The proxy carries bytes and half-closed connections in both directions."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from hack.cluster.layout import this_checkout

if TYPE_CHECKING:
    from collections.abc import Iterator

BULK = 8 * 1024 * 1024


def listener() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


@pytest.fixture
def upstream() -> Iterator[socket.socket]:
    """Sends back everything it got, once the sender has finished."""
    server = listener()

    def echo() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                data = bytearray()
                while chunk := connection.recv(65536):
                    data += chunk
                connection.sendall(data)

    thread = threading.Thread(target=echo)
    thread.start()
    yield server
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()


def test_bulk_comes_back_after_a_half_close(upstream: socket.socket) -> None:
    with closing(listener()) as front:
        command = [sys.executable, "-m", "hack.cluster.apiproxy", str(front.fileno()), str(upstream.getsockname()[1])]
        proxy = subprocess.Popen(command, cwd=this_checkout().checkout, pass_fds=[front.fileno()])
        try:
            sent = bytes(range(256)) * (BULK // 256)
            with socket.create_connection(front.getsockname(), timeout=30) as client:
                client.sendall(sent)
                client.shutdown(socket.SHUT_WR)
                got = bytearray()
                while chunk := client.recv(65536):
                    got += chunk
            assert got == sent
        finally:
            proxy.kill()
            proxy.wait()


def test_a_server_that_is_not_there_closes_the_connection() -> None:
    gone = listener()
    port = gone.getsockname()[1]
    gone.close()
    with closing(listener()) as front:
        command = [sys.executable, "-m", "hack.cluster.apiproxy", str(front.fileno()), str(port)]
        proxy = subprocess.Popen(command, cwd=this_checkout().checkout, pass_fds=[front.fileno()])
        try:
            with socket.create_connection(front.getsockname(), timeout=30) as client:
                assert client.recv(1) == b""
        finally:
            proxy.kill()
            proxy.wait()
