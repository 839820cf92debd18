"""What a check answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    """Some runs will not work, or not as well."""
    FAIL = "fail"
    """No run will work."""


@dataclass(frozen=True)
class Check:
    """One check: what was looked at, what was seen, and what to do about it."""

    area: str
    """machine, services or cluster."""
    name: str
    state: State
    seen: str
    next: str = ""
    """The next command, or what to install; empty where nothing needs to be done."""
