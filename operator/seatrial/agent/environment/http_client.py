"""One HTTP request at a time. Importing aiohttp takes 0.15 s, therefore only what needs HTTP imports this."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
from yarl import URL

from seatrial.agent.environment.network import describe
from seatrial.agent.environment.outcomes import NotReadyError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BODY_BYTES = 65536


@dataclass(frozen=True)
class Answer:
    """Status and the beginning of the body."""

    status: int
    body: bytes

    @property
    def text(self) -> str:
        """The body's first 300 characters, on one line."""
        return " ".join(self.body[:1200].decode("utf-8", "replace").split())[:300]

    def json(self) -> Any:
        """The parsed body. Raises NotReadyError when it is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise NotReadyError(f"HTTP {self.status} with a body that is not JSON: {self.text}") from None


async def request(
    method: str,
    url: str,
    *,
    seconds: float,
    headers: Mapping[str, str] | None = None,
    json: Any = None,
    data: bytes | None = None,
    params: Mapping[str, str] | None = None,
) -> Answer:
    """Send a request; redirects are not followed. Raises NotReadyError when there is no answer."""
    target = URL(url, encoded=True).update_query(params or {})
    host, port = target.host or "", target.port or 80
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=seconds)) as session,
            session.request(method, target, headers=headers, json=json, data=data, allow_redirects=False) as response,
        ):
            return Answer(response.status, await response.content.read(MAX_BODY_BYTES))
    except TimeoutError:
        raise NotReadyError(f"{host}:{port} did not answer {method} {target.path} within {seconds:g} s") from None
    except aiohttp.ClientConnectorError as error:
        raise NotReadyError(describe(error.os_error, host, port)) from None
    except (aiohttp.ClientError, OSError) as error:
        raise NotReadyError(f"{host}:{port}: {str(error) or type(error).__name__}") from None
