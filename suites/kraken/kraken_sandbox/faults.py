"""Faults on demand: rules that say what goes wrong with which requests, and how often."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal["error", "status", "drop", "lose", "hold", "malformed"]


class FaultRule(BaseModel):
    """`error`: these error strings. `status`: an HTTP status with a page in the place of JSON. `drop`: the connection
    is cut before the request is carried out; `lose`: after it. `hold`: it is carried out, and the answer is kept until
    the rules are cleared. `malformed`: an answer that is no JSON.
    """

    model_config = ConfigDict(extra="forbid")

    on: str = Field("*", description="pattern of METHOD, such as AddOrder")
    kind: Kind
    errors: list[str] = ["EService:Unavailable"]
    status: int = Field(503, ge=400, le=599)
    times: int | None = Field(None, ge=1, description="how often; none: until cleared")


@dataclass
class Faults:
    """The rules in force; the first that fits a request is used."""

    rules: list[FaultRule] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, rule: FaultRule) -> None:
        self.rules.append(rule)

    def clear(self) -> None:
        self.rules.clear()
        self.released.set()
        self.released = asyncio.Event()

    def strike(self, method: str) -> FaultRule | None:
        """The rule for a request of this method; it counts as used."""
        for rule in self.rules:
            if fnmatchcase(method, rule.on):
                if rule.times is not None:
                    rule.times -= 1
                    if not rule.times:
                        self.rules.remove(rule)
                return rule
        return None
