"""Durations as people write them, and as the API has them."""

from __future__ import annotations

import re
from datetime import timedelta

from seatrial.cli.exits import CliError, Exit

_PARTS = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?")
_MINUTE, _HOUR = 60, 3600


def seconds_of_duration(text: str, option: str) -> int:
    """Seconds of `45s`, `1h30m` or `2d`. Raises CliError that names the option."""
    match = _PARTS.fullmatch(text)
    if not text or match is None:
        raise CliError(
            f"{option}: {text!r} is not a duration: write days, hours, minutes, seconds, as 2d, 1h30m, 45s", Exit.USAGE
        )
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return int(timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds).total_seconds())


def api_duration(seconds: int) -> str:
    """Seconds as a duration of the API, such as 1h30m."""
    hours, rest = divmod(seconds, _HOUR)
    minutes, rest = divmod(rest, _MINUTE)
    parts = ((hours, "h"), (minutes, "m"), (rest, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"
