"""PostgreSQL: SELECT 1 over TCP as the run's user; seeded by the initialisation SQL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from seatrial.agent.environment.checks import Check
from seatrial.agent.environment.checks.init_sql import explain, is_blank, read_sql, sql_files, still_running
from seatrial.agent.environment.input import variable
from seatrial.agent.environment.network import Reachability, describe
from seatrial.agent.environment.outcomes import NotReadyError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seatrial.agent.environment.input import Service

_REFUSED = (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError)
CONNECT_SECONDS = 5.0


class PostgresCheck(Check):
    """Keeps the connection on which SELECT 1 was answered, for the initialisation SQL."""

    def __init__(self, service: Service, variables: Mapping[str, str]) -> None:
        self._host = variable(variables, "DATABASE_HOST")
        self._port = int(variable(variables, "DATABASE_PORT"))
        self._database = variable(variables, "DATABASE_NAME")
        self._user = variable(variables, "DATABASE_USER")
        self._password = variable(variables, "DATABASE_PASSWORD")
        self._folders = [Path(folder) for folder in service.init_sql]
        self._reachable = Reachability(self._host, self._port)
        self._connection: asyncpg.Connection | None = None
        self.expected = (
            f"an answer to SELECT 1 in the database {self._database} as {self._user} at {self._host}:{self._port}"
        )

    async def attempt(self) -> None:
        await self._reachable.check()
        try:
            self._connection = await asyncpg.connect(
                host=self._host,
                port=self._port,
                database=self._database,
                user=self._user,
                password=self._password,
                timeout=CONNECT_SECONDS,
                ssl=False,
                statement_cache_size=0,
            )
            await self._connection.execute("SELECT 1")
        except _REFUSED as error:
            raise RefusedError(f"PostgreSQL refused the run's user or password: {error}") from None
        except asyncpg.PostgresError as error:  # also "the database system is starting up"
            raise NotReadyError(f"PostgreSQL answered: {error}") from None
        except asyncpg.InterfaceError as error:
            raise NotReadyError(f"{self._host}:{self._port}: {error}") from None
        except OSError as error:
            raise NotReadyError(describe(error, self._host, self._port)) from None

    async def seed(self) -> None:
        for file in [file for folder in self._folders for file in sql_files(folder)]:
            await self._run(file)
        self.doing = ""

    async def _run(self, file: Path) -> None:
        """Run a file as one simple query: all of its statements, in their order, none prepared."""
        if self._connection is None:
            raise RuntimeError("PostgreSQL is seeded before it is ready")
        sql = read_sql(file)
        if is_blank(sql):
            return  # the client library cannot read the server's answer to it
        self.doing = still_running(file.name, sql)
        try:
            await self._connection.execute(sql)
        except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
            message = f"{file.name}: the connection to PostgreSQL was lost: {str(error) or type(error).__name__}"
            raise RefusedError(message) from None
        except asyncpg.PostgresError as error:
            raise RefusedError(explain(file.name, sql, error.as_dict())) from None

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
