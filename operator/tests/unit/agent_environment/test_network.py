from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack

import pytest

from seatrial.agent.environment.network import Reachability, describe, resolve
from seatrial.agent.environment.outcomes import NotReadyError


async def test_a_name_that_does_not_resolve() -> None:
    with pytest.raises(NotReadyError, match=r"the name kafka\.invalid does not resolve yet"):
        await resolve("kafka.invalid")
    with pytest.raises(NotReadyError, match=r"the name kafka\.invalid does not resolve yet"):
        await Reachability("kafka.invalid", 9092).check()
    await resolve("localhost")


async def test_a_port_on_which_nothing_listens_and_then_something() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        reachable = Reachability("127.0.0.1", port)
        with pytest.raises(NotReadyError, match=f"127.0.0.1:{port} refuses connections"):
            await reachable.check()
        bound.listen()
        await reachable.check()


async def test_what_was_reached_once_is_not_connected_to_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        reachable = Reachability(*server.getsockname())
        await reachable.check()
    await reachable.check()
    with pytest.raises(NotReadyError, match="refuses connections"):
        await reachable.connect()


async def test_a_lost_syn_is_given_up_and_the_limit_grows() -> None:
    """The kernel drops the SYN for a listener whose queue is full, as a network policy does."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, ExitStack() as stack:
        address = server.getsockname()
        async with asyncio.timeout(60):
            while True:
                client = stack.enter_context(socket.socket())
                client.setblocking(False)  # noqa: FBT003  # its only form
                try:
                    async with asyncio.timeout(0.2):
                        await asyncio.get_running_loop().sock_connect(client, address)
                except TimeoutError:
                    break
        reachable = Reachability(*address)
        for seconds in (0.3, 0.6):
            with pytest.raises(NotReadyError, match=f"did not accept a connection within {seconds} s"):
                await reachable.check()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionResetError(104, "Connection reset by peer"), "h:1: Connection reset by peer"),
        (OSError("Multiple exceptions: ..."), "h:1: Multiple exceptions: ..."),
        (OSError(), "h:1: OSError"),
        (TimeoutError(), "h:1 accepted the connection but did not answer in time"),
    ],
)
def test_errors_are_described(error: OSError, words: str) -> None:
    assert describe(error, "h", 1) == words
