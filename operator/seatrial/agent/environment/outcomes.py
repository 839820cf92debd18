"""The two answers, other than success, that a check can give."""

from __future__ import annotations

from dataclasses import dataclass


class NotReadyError(Exception):
    """Not yet: the message says what was seen. The check is tried again until the deadline."""


class RefusedError(Exception):
    """Never: waiting cannot change it (a wrong password, wrong SQL). The message holds the server's own words."""


@dataclass
class EnvironmentFailedError(Exception):
    """The environment cannot be used; terminal. The members are those of the event `failed`."""

    kind: str
    name: str
    reason: str
    message: str

    def __str__(self) -> str:
        return self.message
