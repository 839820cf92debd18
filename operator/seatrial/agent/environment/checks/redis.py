"""Redis: PING with the run's password is answered with PONG."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis.asyncio import Connection
from redis.exceptions import AuthenticationError, AuthorizationError, RedisError

from seatrial.agent.environment.checks import Check
from seatrial.agent.environment.input import variable
from seatrial.agent.environment.network import Reachability, describe
from seatrial.agent.environment.outcomes import NotReadyError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seatrial.agent.environment.input import Service


class RedisCheck(Check):
    """A single connection; a pool or a client on top of it would add nothing."""

    def __init__(self, _service: Service, variables: Mapping[str, str]) -> None:
        self._host = variable(variables, "REDIS_HOST")
        self._port = int(variable(variables, "REDIS_PORT"))
        self._password = variable(variables, "REDIS_PASSWORD")
        self._reachable = Reachability(self._host, self._port)
        self.expected = f"PONG to an authenticated PING at {self._host}:{self._port}"

    async def attempt(self) -> None:
        await self._reachable.check()
        # RESP2: its AUTH is answered with plain words, HELLO with a lecture on HELLO.
        connection = Connection(host=self._host, port=self._port, password=self._password or None, protocol=2)
        try:
            await connection.connect()  # type: ignore[no-untyped-call]
            await connection.send_command("PING", check_health=False)
            answer = await connection.read_response()
        except (AuthenticationError, AuthorizationError) as error:
            raise RefusedError(f"Redis refused the run's password: {error}") from None
        except RedisError as error:  # also LOADING and a connection that was closed
            raise NotReadyError(f"Redis answered PING with: {error}") from None
        except OSError as error:
            raise NotReadyError(describe(error, self._host, self._port)) from None
        finally:
            await connection.disconnect()
        if answer not in {b"PONG", "PONG"}:
            raise NotReadyError(f"Redis answered PING with {answer!r} instead of PONG")
