"""A schema registry: it answers GET /subjects with 200."""

from __future__ import annotations

from seatrial.agent.environment.http_client import request
from seatrial.agent.environment.outcomes import NotReadyError

REQUEST_SECONDS = 2.0


async def check_registry(url: str) -> None:
    """Raises NotReadyError."""
    answer = await request("GET", f"{url.rstrip('/')}/subjects", seconds=REQUEST_SECONDS)
    if answer.status != 200:  # noqa: PLR2004
        raise NotReadyError(f"the schema registry answered GET /subjects with HTTP {answer.status}: {answer.text}")
