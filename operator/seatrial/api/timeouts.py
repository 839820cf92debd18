"""How long the parts of a run may take."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from seatrial.api.base import DURATION_PATTERN, Duration, SpecModel, cel, cel_rules, parse_duration

MAX_TIMEOUT_HOURS = 24

_RANGE = f"a timeout must be between 1s and {MAX_TIMEOUT_HOURS}h"


def _in_range(value: str) -> str:
    seconds = parse_duration(value).total_seconds()
    if not 1 <= seconds <= MAX_TIMEOUT_HOURS * 3600:
        raise ValueError(f"{_RANGE}, not {value}")
    return value


Timeout = Annotated[
    Duration,
    AfterValidator(_in_range),
    Field(
        json_schema_extra=cel_rules(
            cel(
                # What does not match the pattern is refused for that; `duration` would add an error of its own.
                f"!self.matches('{DURATION_PATTERN}') || size(self) == 0 || "
                f"(duration(self) >= duration('1s') && duration(self) <= duration('{MAX_TIMEOUT_HOURS}h'))",
                _RANGE,
                messageExpression=f"'{_RANGE}, not ' + self",
            ),
        ),
    ),
]


class Timeouts(SpecModel):
    """How long each part of the run may take."""

    provision: Timeout = "5m"
    """Until the services and applications are ready."""
    total: Timeout = "1h"
    """From the start of the environment until the verdict."""


class Retention(SpecModel):
    """How long the environment is kept after the verdict. The TestRun itself is never deleted."""

    on_success: Duration = "0s"
    """After a run that passed."""
    on_failure: Duration = "30m"
    """After a run that did not pass."""
