"""Redis: PING with the run's password is answered with PONG.

The two commands are spoken here as the protocol has them: importing a client takes 0.1 s of processor time, in every
run and while its servers start.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from seatrial.agent.environment.checks import Check
from seatrial.agent.environment.input import variable
from seatrial.agent.environment.network import Reachability, describe
from seatrial.agent.environment.outcomes import NotReadyError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seatrial.agent.environment.input import Service

_REFUSED = frozenset({"WRONGPASS", "NOAUTH", "NOPERM"})
LINE_BYTES = 4096


class RedisCheck(Check):
    """One connection for each attempt."""

    def __init__(self, _service: Service, variables: Mapping[str, str]) -> None:
        self._host = variable(variables, "REDIS_HOST")
        self._port = int(variable(variables, "REDIS_PORT"))
        self._password = variable(variables, "REDIS_PASSWORD")
        self._reachable = Reachability(self._host, self._port)
        self.expected = f"PONG to an authenticated PING at {self._host}:{self._port}"

    async def attempt(self) -> None:
        await self._reachable.check()
        try:
            reader, writer = await asyncio.open_connection(self._host, self._port, limit=LINE_BYTES)
            try:
                if self._password:
                    await _ask(reader, writer, "AUTH", self._password)
                answer = await _ask(reader, writer, "PING")
            finally:
                writer.close()
        except OSError as error:
            raise NotReadyError(describe(error, self._host, self._port)) from None
        if answer != "+PONG":
            raise NotReadyError(f"Redis answered PING with {answer!r} instead of PONG")


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *words: str) -> str:
    """One command and the line that answers it. Raises NotReadyError, RefusedError, OSError."""
    parts = [f"*{len(words)}\r\n".encode()]
    for word in words:
        data = word.encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    writer.write(b"".join(parts))
    try:
        line = (await reader.readuntil(b"\r\n")).decode("utf-8", "replace").rstrip()
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        seen = "closed the connection" if isinstance(error, asyncio.IncompleteReadError) else "gave an endless answer"
        raise NotReadyError(f"Redis {seen} instead of answering {words[0]}") from None
    code, _, message = line.removeprefix("-").partition(" ")
    if line.startswith("-") and (code in _REFUSED or (code == "ERR" and words[0] == "AUTH")):
        raise RefusedError(f"Redis refused the run's password: {message}")
    if line.startswith("-"):  # also LOADING
        raise NotReadyError(f"Redis answered {words[0]} with: {line[1:]}")
    return line
