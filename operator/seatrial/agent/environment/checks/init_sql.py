"""Initialisation SQL: which files there are, and what went wrong in one of them. Pure but for reading them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from seatrial.agent.environment.outcomes import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SHOWN = 200
"""Characters of a statement, and of each other part of a message."""

_FROM_STDIN = re.compile(r"\bfrom\s+stdin\b", re.IGNORECASE)
_BLANK = re.compile(r"(?:[\s;]|--[^\n]*)*(/\*)?")
_LEADING = re.compile(r"\A(?:\s+|--[^\n]*\n|/\*.*?\*/)+", re.DOTALL)
_COMMENT_EDGE = re.compile(r"/\*|\*/")


def sql_files(folder: Path) -> list[Path]:
    """The files to run, in the order of their names. Raises RefusedError when there are none: that cannot be meant."""
    names = sorted(path.name for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    files = [folder / name for name in names if name.endswith(".sql")]
    if not files:
        found = ", ".join(names[:10]) or "nothing"
        raise RefusedError(f"no key of the ConfigMap for initSQL ends in .sql; found: {found}")
    return files


def read_sql(file: Path) -> str:
    """Content of a file, at most the 1 MiB of a ConfigMap. Raises RefusedError when it is not text."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise RefusedError(f"{file.name} is not UTF-8 text: {error.reason} at byte {error.start}") from None


def explain(file: str, sql: str, error: Mapping[str, str]) -> str:
    """A server's error for people.

    `error` has the members of PostgreSQL's ErrorResponse, by asyncpg's names (message, sqlstate, detail, position...).
    """
    message, position = error.get("message"), error.get("position", "")
    place, statement = file, None
    if position.isdigit():
        line, column, statement = locate(sql, int(position))
        place = f"{file}, line {line}, column {column}"
    parts = {
        "Statement": statement,
        "Detail": error.get("detail"),
        "Hint": error.get("hint") or _advice(sql, error),
        "Where": error.get("context"),
    }
    lines = [f"{place}: {message} (SQLSTATE {error.get('sqlstate')})"]
    return "\n".join(lines + [f"{title}: {text[:SHOWN]}" for title, text in parts.items() if text])


def locate(sql: str, position: int) -> tuple[int, int, str]:
    """Line, column and the statement of a position; all count from 1.

    The statement is cut at semicolons without regard to quotes: it is for display only.
    """
    index = min(max(position - 1, 0), len(sql))
    line_start = sql.rfind("\n", 0, index) + 1
    begin = sql.rfind(";", 0, index) + 1
    end = sql.find(";", index)
    statement = sql[begin : end + 1 if end >= 0 else len(sql)]
    return sql.count("\n", 0, index) + 1, index - line_start + 1, _LEADING.sub("", statement).rstrip()


def still_running(file: str, sql: str) -> str:
    """What to say when the deadline comes while a file is running."""
    waits = " (COPY ... FROM stdin waits for data that never comes: use INSERT)" if _FROM_STDIN.search(sql) else ""
    return f"{file} was still running{waits}"


def is_blank(sql: str) -> bool:
    """Whether there is no statement: only white space, semicolons and comments, which may be nested."""
    position = depth = 0
    while position < len(sql):
        found = _COMMENT_EDGE.search(sql, position) if depth else _BLANK.match(sql, position)
        if found is None:  # a comment that does not end: the server is to say so
            return False
        if depth:
            depth += 1 if found.group() == "/*" else -1
        elif found.group(1):
            depth = 1
        else:
            return found.end() == len(sql)
        position = found.end()
    return depth == 0


def _advice(sql: str, error: Mapping[str, str]) -> str | None:
    match error.get("sqlstate"):
        case "25001":  # active_sql_transaction
            return "A file is one implicit transaction: put this statement into a file of its own."
        case "42601" if "\\" in sql or _FROM_STDIN.search(sql):  # syntax_error
            return "psql's commands (with a backslash) and data after COPY ... FROM stdin are not SQL: use INSERT."
        case _:
            return None
