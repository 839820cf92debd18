from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from tests.integration.agent_process import TERMINAL, environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .servers import Server

    Run = Callable[..., dict[str, Any]]


@pytest.fixture
async def database(postgres: Server, request: pytest.FixtureRequest) -> str:
    """A database of its own for each test."""
    name = f"db{abs(hash(request.node.name))}"
    connection = await asyncpg.connect(**address(postgres, "postgres"))
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    return name


def address(server: Server, database: str) -> dict[str, Any]:
    return {
        "host": "127.0.0.1",
        "port": server.port,
        "user": "test",
        "password": server.password,
        "database": database,
    }


@pytest.fixture
def run(postgres: Server, database: str, tmp_path: Path) -> Run:
    """Run the environment pod with initialisation SQL, to its end; what it said last."""

    def run(*, deadline: float = 60, password: str = postgres.password, **files: str | bytes) -> dict[str, Any]:
        folder = tmp_path / "init-sql"
        folder.mkdir()
        for name, content in files.items():
            path = folder / f"{name}.sql"
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        service = {"kind": "postgres", "name": "postgres", "initSQL": [str(folder)] if files else []}
        connection = {f"DATABASE_{key.upper()}": str(value) for key, value in address(postgres, database).items()}
        connection["DATABASE_NAME"] = connection.pop("DATABASE_DATABASE")
        connection["DATABASE_PASSWORD"] = password
        with environment(services=[service], variables=connection, deadline=deadline) as agent:
            end = agent.until(*TERMINAL)
        assert password not in "".join(agent.lines)
        if end["t"] == "open":
            assert agent.kinds() == ["started", "ready postgres", "seeded postgres", "servicesReady", "open"]
        return end

    return run


async def test_every_file_is_run_in_order_as_the_runs_user(run: Run, postgres: Server, database: str) -> None:
    end = run(
        b_data="\ufeffINSERT INTO a VALUES (1, 'x;y'), (2, $$ü; -- $$); INSERT INTO a SELECT 3, current_user",
        a_schema="CREATE EXTENSION citext; CREATE TABLE a (id int PRIMARY KEY, t text);\n-- the end",
        c_blank="/* nothing */ ; -- at all",
        d_function="CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$; SELECT f();",
        e_alone="CREATE INDEX CONCURRENTLY ON a (t)",
        f_own_transaction="BEGIN; INSERT INTO a VALUES (4, ''); ROLLBACK; BEGIN; INSERT INTO a VALUES (5, ''); COMMIT",
    )
    assert end["t"] == "open"
    connection = await asyncpg.connect(**address(postgres, database))
    rows = await connection.fetch("SELECT * FROM a ORDER BY id")
    extensions = await connection.fetchval("SELECT count(*) FROM pg_extension WHERE extname = 'citext'")
    indexes = await connection.fetchval("SELECT count(*) FROM pg_indexes WHERE tablename = 'a'")
    relations = await connection.fetch("SELECT relname FROM pg_stat_user_tables")
    await connection.close()
    assert [tuple(row) for row in rows] == [(1, "x;y"), (2, "ü; -- "), (3, "test"), (5, "")]
    assert (extensions, indexes) == (1, 2)
    assert [row["relname"] for row in relations] == ["a"]


def test_without_sql_there_is_nothing_to_seed(run: Run) -> None:
    assert run()["t"] == "open"


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (
            "CREATE TABLE t (a int);\n  SELEC 1;",
            'a.sql, line 2, column 3: syntax error at or near "SELEC" (SQLSTATE 42601)\nStatement: SELEC 1;',
        ),
        (
            "SELECT 1; -- ü\nSELECT nothing FROM\n pg_class;",
            (
                'a.sql, line 2, column 8: column "nothing" does not exist (SQLSTATE 42703)\n'
                "Statement: SELECT nothing FROM\n pg_class;"
            ),
        ),
        (
            "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1); INSERT INTO t VALUES (1);",
            (
                'a.sql: duplicate key value violates unique constraint "t_pkey" (SQLSTATE 23505)\n'
                "Detail: Key (id)=(1) already exists."
            ),
        ),
        (
            "DO $$ BEGIN RAISE EXCEPTION 'no %', 'luck' USING HINT = 'try again'; END $$",
            (
                "a.sql: no luck (SQLSTATE P0001)\nHint: try again\n"
                "Where: PL/pgSQL function inline_code_block line 1 at RAISE"
            ),
        ),
        (
            "CREATE DATABASE other; SELECT 1",
            (
                "a.sql: CREATE DATABASE cannot run inside a transaction block (SQLSTATE 25001)\n"
                "Hint: A file is one implicit transaction: put this statement into a file of its own."
            ),
        ),
        (
            "\\connect other",
            (
                'a.sql, line 1, column 1: syntax error at or near "\\" (SQLSTATE 42601)\nStatement: \\connect other\n'
                "Hint: psql's commands (with a backslash) and data after COPY ... FROM stdin are not SQL: use INSERT."
            ),
        ),
        (
            "SELECT pg_terminate_backend(pg_backend_pid())",
            (
                "a.sql: the connection to PostgreSQL was lost: connection was closed in the middle of operation: "
                "terminating connection due to administrator command"
            ),
        ),
        (b"SELECT '\xfc'", "a.sql is not UTF-8 text: invalid start byte at byte 8"),
    ],
    ids=["syntax", "column", "key", "raise", "transaction", "psql", "connection", "encoding"],
)
def test_sql_that_fails_is_explained(run: Run, sql: str | bytes, message: str) -> None:
    failed = run(a=sql, b="SELECT 1")
    assert (failed["t"], failed["kind"], failed["name"]) == ("failed", "service", "postgres")
    assert (failed["reason"], failed["message"]) == ("SeedFailed", message)


def test_sql_that_does_not_end_is_named_at_the_deadline(run: Run) -> None:
    failed = run(deadline=5, a="SELECT 1", b="SELECT pg_sleep(1000)")
    assert failed["reason"] == "SeedFailed"
    assert (
        failed["message"] == "postgres is ready but not seeded; gave up after 5 s; last seen: b.sql was still running"
    )


def test_a_wrong_password_is_said_at_once(run: Run) -> None:
    failed = run(password="wr0ng-s3cret")
    assert (failed["reason"], failed["message"]) == (
        "ServiceNotReady",
        'PostgreSQL refused the run\'s user or password: password authentication failed for user "test"',
    )
