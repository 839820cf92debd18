"""A Redis database of its own for each test.

Redis has a few numbered databases (16 unless it is told otherwise). A test claims one with a key in database 0 that
holds a name; all its connections bear that name, so whether the claimant lives is seen in the server's list of clients.
A database that holds data and was not claimed is somebody's, and is never touched.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from seatrial_kit.missing import MissingServiceError, client
from seatrial_kit.waiting import PAUSE_SECONDS, deadline_seconds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis.asyncio import Redis

    from seatrial_kit.services.config import RealTestConfig

CONNECT_SECONDS = 5.0
CLAIM = "pytest-seatrial:claim:"
NAME = "pytest-seatrial:"
_TAKE_OVER = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2]) return 1 end
return 0
"""


class CacheManager:
    """Values as JSON in a test's own Redis database. `client` is the redis-py client, for everything else."""

    def __init__(self, client: Redis, database: int, url: str) -> None:
        self.client = client
        self.database = database
        self.url = url

    async def set(self, key: str, value: object, ttl_seconds: float | None = None) -> None:
        """Store a value, for a time if one is given."""
        milliseconds = None if ttl_seconds is None else int(ttl_seconds * 1000)
        await self.client.set(key, json.dumps(value, default=str), px=milliseconds)

    async def set_if_absent(self, key: str, value: object, ttl_seconds: float | None = None) -> bool:
        """Store a value unless there is one. Returns whether it was stored."""
        milliseconds = None if ttl_seconds is None else int(ttl_seconds * 1000)
        return bool(await self.client.set(key, json.dumps(value, default=str), px=milliseconds, nx=True))

    async def get(self, key: str) -> Any:
        """The value, or None."""
        text = await self.client.get(key)
        return None if text is None else json.loads(text)

    async def delete(self, *keys: str) -> int:
        """How many there were."""
        return int(await self.client.delete(*keys))

    async def keys(self, pattern: str = "*") -> list[str]:
        """Sorted."""
        found = [key async for key in self.client.scan_iter(match=pattern)]
        return sorted(key.decode() if isinstance(key, bytes) else key for key in found)

    async def healthy(self) -> bool:
        """Whether the server answers."""
        return bool(await self.client.ping())


@asynccontextmanager
async def own_database(config: RealTestConfig) -> AsyncIterator[CacheManager]:
    """A claimed, empty database; emptied and given back afterwards. Raises MissingServiceError.

    Sweeps what killed tests have left before.
    """
    token = f"{NAME}{uuid.uuid4().hex}"
    async with _client(_numbered(config.redis_url, 0), token) as lobby:
        await check(lobby, config)
        number = await _claim(lobby, config, token)
        url = _numbered(config.redis_url, number)
        async with _client(url, token) as own:
            try:
                yield CacheManager(own, number, url)
            finally:
                await _give_back(lobby, own, number, token)


async def check(connection: Redis, config: RealTestConfig) -> None:
    """Raises MissingServiceError."""
    errors = client("redis.exceptions", "redis")
    try:
        await connection.ping()
    except (errors.RedisError, OSError) as error:
        raise MissingServiceError(
            f"Redis at {config.address('redis')}: {type(error).__name__}: {error}; "
            "REDIS_URL, or REDIS_HOST and its companions, name another one"
        ) from error


async def verify(config: RealTestConfig) -> None:
    """Raises MissingServiceError."""
    async with _client(config.redis_url, "pytest-seatrial") as connection:
        await check(connection, config)


def _client(url: str, name: str) -> Any:
    library = client("redis.asyncio", "redis")
    return library.Redis.from_url(url, client_name=name, socket_connect_timeout=CONNECT_SECONDS, decode_responses=True)


def _numbered(url: str, number: int) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{number}"))


async def _claim(lobby: Redis, config: RealTestConfig, token: str) -> int:
    """The number of a database that is now this test's, and empty."""
    count = int((await lobby.config_get("databases")).get("databases") or 16)
    seconds = deadline_seconds()
    deadline = time.monotonic() + seconds
    while True:
        await sweep(lobby, config, token, count)
        taken = {}
        for number in range(1, count):
            why = await _try(lobby, config, number, token)
            if why is None:
                return number
            taken[number] = why
        if time.monotonic() >= deadline:
            listed = ", ".join(f"{number}: {why}" for number, why in taken.items()) or "there is only database 0"
            raise MissingServiceError(
                f"Redis at {config.address('redis')}: no free database within {seconds:g} s ({listed}); "
                "give the server more of them (`databases`), or empty one that nobody needs"
            )
        await asyncio.sleep(PAUSE_SECONDS)


async def sweep(lobby: Redis, config: RealTestConfig, token: str, count: int) -> list[int]:
    """Empty the databases of tests whose connections are gone, and drop their claims. Returns their numbers."""
    keys = {f"{CLAIM}{number}": number for number in range(1, count)}
    # The claims first: whoever has made one by now is in the list of clients, if it lives.
    claims = {key: holder for key, holder in zip(keys, await lobby.mget(list(keys)), strict=True) if holder}
    living = {entry["name"] for entry in await lobby.client_list()} if claims else set()
    swept = []
    for key, holder in claims.items():
        if holder not in living and await lobby.eval(_TAKE_OVER, 1, key, holder, token):
            async with _client(_numbered(config.redis_url, keys[key]), token) as left:
                await left.flushdb()
            await lobby.delete(key)
            swept.append(keys[key])
    return swept


async def _try(lobby: Redis, config: RealTestConfig, number: int, token: str) -> str | None:
    """Claim one database; None, or why it cannot be had."""
    key = f"{CLAIM}{number}"
    if not await lobby.set(key, token, nx=True):
        return "in use by another test"
    async with _client(_numbered(config.redis_url, number), token) as own:
        if await own.dbsize() == 0:
            return None
    await lobby.delete(key)
    return "holds somebody's data"


async def _give_back(lobby: Redis, own: Redis, number: int, token: str) -> None:
    """Unless the server was restarted meanwhile, and the database is another test's now."""
    key = f"{CLAIM}{number}"
    if await lobby.get(key) in (token, None):
        await own.flushdb()
        await lobby.delete(key)
