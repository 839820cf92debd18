from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from seatrial.agent.environment.checks.init_sql import explain, is_blank, locate, read_sql, sql_files, still_running
from seatrial.agent.environment.outcomes import RefusedError

if TYPE_CHECKING:
    from pathlib import Path


def test_files_are_run_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("10.sql", "2.sql", "README.md", "01-schema.sql"):
        (tmp_path / name).touch()
    (tmp_path / "folder.sql").mkdir()
    assert [file.name for file in sql_files(tmp_path)] == ["01-schema.sql", "10.sql", "2.sql"]


def test_a_folder_without_sql_is_refused(tmp_path: Path) -> None:
    (tmp_path / "schema.txt").touch()
    with pytest.raises(RefusedError, match=r"no key of the ConfigMap for initSQL ends in \.sql; found: schema\.txt"):
        sql_files(tmp_path)
    with pytest.raises(RefusedError, match="found: nothing"):
        sql_files(tmp_path / "none")


def test_text_is_utf8_with_or_without_a_mark(tmp_path: Path) -> None:
    file = tmp_path / "a.sql"
    file.write_bytes("\ufeffSELECT 'ü'".encode())
    assert read_sql(file) == "SELECT 'ü'"
    file.write_bytes(b"SELECT '\xfc'")
    with pytest.raises(RefusedError, match=r"a\.sql is not UTF-8 text: invalid start byte at byte 8"):
        read_sql(file)


SQL = """CREATE TABLE a (id int);
-- then; two rows
/* of
data */
INSERT INTO a VALUES (1),
  ('ü', oops);
SELECT 1;
"""


def test_a_position_is_a_line_a_column_and_a_statement() -> None:
    assert locate(SQL, SQL.index("oops") + 1) == (
        6,
        9,
        "two rows\n/* of\ndata */\nINSERT INTO a VALUES (1),\n  ('ü', oops);",
    )
    assert locate("SELECT 1;\n-- why\n\nSELEC 2", 19) == (4, 1, "SELEC 2")
    assert locate("SELECT", 7) == (1, 7, "SELECT")
    assert locate("", 1) == (1, 1, "")


def test_an_error_with_a_position() -> None:
    error = {"message": 'syntax error at or near "SELEC"', "sqlstate": "42601", "position": "11"}
    assert explain("01.sql", "SELECT 1;\nSELEC 2" + " " * 10 + "x" * 300, error).split("\n") == [
        '01.sql, line 2, column 1: syntax error at or near "SELEC" (SQLSTATE 42601)',
        "Statement: SELEC 2" + " " * 10 + "x" * 183,
    ]


def test_an_error_without_a_position() -> None:
    error = {
        "message": "duplicate key",
        "sqlstate": "23505",
        "detail": "Key (id)=(1) exists.",
        "context": "PL/pgSQL f()",
    }
    assert explain("01.sql", "SELECT f()", error).split("\n") == [
        "01.sql: duplicate key (SQLSTATE 23505)",
        "Detail: Key (id)=(1) exists.",
        "Where: PL/pgSQL f()",
    ]


def test_what_psql_can_and_a_query_cannot_is_explained() -> None:
    transaction = {"message": "CREATE DATABASE cannot run inside a transaction block", "sqlstate": "25001"}
    assert "put this statement into a file of its own" in explain("a.sql", "CREATE DATABASE x; SELECT 1", transaction)
    syntax = {"message": "syntax error", "sqlstate": "42601", "position": "1"}
    assert "psql's commands" in explain("a.sql", "\\connect x", syntax)
    assert "use INSERT" in explain("a.sql", "COPY a FROM stdin;\n1\n", syntax)
    assert "psql" not in explain("a.sql", "SELEC 1", syntax)
    assert "Hint: the server's" in explain("a.sql", "\\x", {**syntax, "hint": "the server's"})


def test_a_file_that_runs_for_ever() -> None:
    assert still_running("a.sql", "SELECT pg_sleep(1000)") == "a.sql was still running"
    assert "COPY ... FROM stdin waits" in still_running("a.sql", "copy a From\nSTDIN;")


@pytest.mark.parametrize(
    "sql", ["", " \n", ";;\n;", "-- a", "-- a\n", "-- /* a\n;", "/* a */", "/* a /* b */ c */\n-- d\n;", "/**/--/*"]
)
def test_blank(sql: str) -> None:
    assert is_blank(sql)


@pytest.mark.parametrize(
    "sql",
    ["a", "-", "/", "-- a\nSELECT 1", "/* a */ SELECT 1", "/* a /* b */ c", "/* a", "'--'", "/* /* */ */ x", "*/"],
)
def test_not_blank(sql: str) -> None:
    assert not is_blank(sql)
