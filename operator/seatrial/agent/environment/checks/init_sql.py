"""Initialisation SQL: which files there are, and what went wrong in one of them. Pure but for the listing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seatrial.agent.environment.outcomes import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SHOWN = 200
"""Characters of a statement."""

_HINTS = {
    "25001": "A file is one implicit transaction: put this statement into a file of its own.",
    "42601": "psql's own commands (with a backslash) and data after COPY ... FROM stdin are not SQL.",
}
"""By SQLSTATE."""


def sql_files(folder: Path) -> list[Path]:
    """The files to run, in the order of their names. Raises RefusedError when there are none: that cannot be meant."""
    names = sorted(path.name for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    files = [folder / name for name in names if name.endswith(".sql")]
    if not files:
        found = ", ".join(names[:10]) or "nothing"
        raise RefusedError(f"no key of the ConfigMap for initSQL ends in .sql; found: {found}")
    return files


def explain(file: str, sql: str, error: Mapping[str, str]) -> str:
    """A server's error for people.

    `error` has the members of PostgreSQL's ErrorResponse, by asyncpg's names (message, sqlstate, detail, position...).
    """
    parts = []
    position = error.get("position")
    if position and position.isdigit():
        line, column, statement = locate(sql, int(position))
        parts.append(f"{file}, line {line}, column {column}: {error.get('message')}")
        statement = f"Statement: {statement}"
    else:
        parts.append(f"{file}: {error.get('message')}")
        statement = ""
    if error.get("sqlstate"):
        parts[0] += f" (SQLSTATE {error['sqlstate']})"
    parts += [f"Detail: {error['detail']}"] if error.get("detail") else []
    parts += [f"Hint: {hint}"] if (hint := error.get("hint")) else []
    parts += [f"Where: {where[:SHOWN]}"] if (where := error.get("context")) else []
    if own := _hint(error):
        parts.append(own)
    return "\n".join([*parts, statement] if statement else parts)


def locate(sql: str, position: int) -> tuple[int, int, str]:
    """Line, column and the statement of a position; all count from 1.

    The statement is cut at semicolons without regard to quotes: it is for display only.
    """
    index = min(max(position - 1, 0), len(sql))
    line_start = sql.rfind("\n", 0, index) + 1
    begin = sql.rfind(";", 0, index) + 1
    end = sql.find(";", index)
    statement = sql[begin : end + 1 if end >= 0 else len(sql)].strip()
    return sql.count("\n", 0, index) + 1, index - line_start + 1, statement[:SHOWN]


def _hint(error: Mapping[str, str]) -> str | None:
    code = error.get("sqlstate", "")
    if code == "42601" and "\\" not in error.get("message", ""):
        return None
    return _HINTS.get(code)
