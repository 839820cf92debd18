"""The check of Redis against servers that are not what they should be."""

from __future__ import annotations

import asyncio

import pytest

from seatrial.agent.environment.checks.redis import LINE_BYTES, RedisCheck
from seatrial.agent.environment.input import Service
from seatrial.agent.environment.outcomes import NotReadyError, RefusedError

AUTH = b"*2\r\n$4\r\nAUTH\r\n$9\r\np\xc3\xa4ssw0rd\r\n"
PASSWORD = "pässw0rd"
PING = b"*1\r\n$4\r\nPING\r\n"


async def attempt(*answers: bytes, password: str = PASSWORD) -> bytes:
    """One attempt against a server that gives these answers, then ends the connection; what it was asked."""
    asked = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            asked.extend(await reader.read(4096))
            writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        variables = {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(port), "REDIS_PASSWORD": password}
        check = RedisCheck(Service("redis", "redis"), variables)
        check._reachable._reached = True  # its connection would take the first answer
        await check.attempt()
    return bytes(asked)


async def test_pong_is_ready() -> None:
    assert await attempt(b"+OK\r\n", b"+PONG\r\n") == AUTH + PING
    assert await attempt(b"+PONG\r\n", password="") == PING


@pytest.mark.parametrize("refusal", ["WRONGPASS no such pair", "ERR no such pair", "NOAUTH no such pair"])
async def test_a_password_that_is_refused_ends_it(refusal: str) -> None:
    with pytest.raises(RefusedError, match=r"^Redis refused the run's password: no such pair$"):
        await attempt(f"-{refusal}\r\n".encode())


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([b"-LOADING Redis is loading the dataset in memory\r\n"], "AUTH with: LOADING Redis is loading"),
        ([b"+OK\r\n", b"-ERR busy\r\n"], "PING with: ERR busy"),
        ([b"+OK\r\n", b"+HELLO\r\n"], r"PING with '\+HELLO' instead of PONG"),
        ([b"+OK\r\n", b""], "closed the connection instead of answering PING"),
        ([b"x" * (3 * LINE_BYTES)], "gave an endless answer instead of answering AUTH"),
        ([b"HTTP/1.1 400 Bad Request\r\n", b"\xff\xfe\r\n"], "instead of PONG"),
    ],
)
async def test_anything_else_is_tried_again(answers: list[bytes], message: str) -> None:
    with pytest.raises(NotReadyError, match=message):
        await attempt(*answers)
