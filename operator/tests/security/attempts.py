"""The table of all attempts: what is tried against the API server, by whom, and who refuses it."""

from __future__ import annotations

from dataclasses import replace

from .attempt import MIGHTY, Attempt
from .operator_attempts import allowed_but_not_such, reads, writes
from .tenant_attempts import borrowed_rights, tenants


def _mighty(attempt: Attempt) -> Attempt:
    """The same with every right: nothing but the fence is left."""
    return replace(attempt, who=MIGHTY, by=("fence",))


WRITES = writes()
ATTEMPTS: tuple[Attempt, ...] = (
    *(replace(attempt, by=("RBAC", "fence")) for attempt in WRITES),
    *map(_mighty, (*WRITES, *allowed_but_not_such())),
    *allowed_but_not_such(),
    *reads(),
    *tenants(),
    *borrowed_rights(),
)
