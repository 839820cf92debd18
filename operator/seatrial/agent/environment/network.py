"""Connections to names that may not resolve yet and addresses that may not answer yet: all of it is normal."""

from __future__ import annotations

import asyncio
import contextlib
import socket

from seatrial.agent.environment.outcomes import NotReadyError

CONNECT_SECONDS = 0.3
"""Less than the second after which a lost SYN is repeated: while a pod's network is being set up, SYNs are lost."""
MAX_CONNECT_SECONDS = 2.0


async def resolve(host: str) -> None:
    """Raises NotReadyError when the name does not resolve."""
    try:
        await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise NotReadyError(f"the name {host} does not resolve yet ({error.strerror})") from None


class Reachability:
    """Whether something listens at an address: a cheap first step that makes the same messages for every protocol."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._seconds = CONNECT_SECONDS
        self._reached = False

    async def check(self) -> None:
        """Raises NotReadyError until a connection was accepted once."""
        if not self._reached:
            await self.connect()
            self._reached = True

    async def connect(self) -> None:
        """Open a connection and close it again. Raises NotReadyError."""
        limit = asyncio.timeout(self._seconds)
        try:
            async with limit:
                _, writer = await asyncio.open_connection(self._host, self._port)
        except OSError as error:
            if limit.expired():
                seconds = self._seconds
                # On a network that is slow by itself a fixed limit would never be met.
                self._seconds = min(self._seconds * 2, MAX_CONNECT_SECONDS)
                raise NotReadyError(
                    f"{self._host}:{self._port} did not accept a connection within {seconds} s"
                ) from None
            raise NotReadyError(describe(error, self._host, self._port)) from None
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def describe(error: OSError, host: str, port: int) -> str:
    """What an error of a connection means, for people."""
    if isinstance(error, socket.gaierror):
        return f"the name {host} does not resolve yet ({error.strerror})"
    if isinstance(error, ConnectionRefusedError):
        return f"{host}:{port} refuses connections: nothing listens there yet"
    if isinstance(error, TimeoutError):
        return f"{host}:{port} accepted the connection but did not answer in time"
    return f"{host}:{port}: {error.strerror or str(error) or type(error).__name__}"
