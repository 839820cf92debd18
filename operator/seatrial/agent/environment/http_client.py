"""One HTTP request at a time, with the standard library's client in a thread.

aiohttp would take 0.2 s of processor time to import, in every run with InfluxDB and while its servers start.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from string import punctuation
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

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
    address = urlsplit(url)
    host, port = address.hostname or "", address.port or 80
    target = _target(address.path, address.query, params or {})
    all_headers = dict(headers or {})
    if json is not None:
        data, all_headers["Content-Type"] = _dump(json), "application/json"
    connection = HTTPConnection(host, port, timeout=seconds)
    call = asyncio.get_running_loop().run_in_executor(None, _exchange, connection, method, target, data, all_headers)
    try:
        async with asyncio.timeout(seconds):
            return await call
    except TimeoutError:
        raise NotReadyError(f"{host}:{port} did not answer {method} {address.path} within {seconds:g} s") from None
    except HTTPException as error:
        raise NotReadyError(f"{host}:{port}: {str(error) or type(error).__name__}") from None
    except OSError as error:
        raise NotReadyError(describe(error, host, port)) from None
    finally:
        if connection.sock is not None:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)  # else a slow answer would keep its thread


def _exchange(
    connection: HTTPConnection, method: str, target: str, data: bytes | None, headers: Mapping[str, str]
) -> Answer:
    """Runs in a thread."""
    try:
        connection.request(method, target, body=data, headers=headers)
        response = connection.getresponse()
        return Answer(response.status, response.read(MAX_BODY_BYTES))
    finally:
        connection.close()


def _target(path: str, query: str, params: Mapping[str, str]) -> str:
    """What is asked for. It is encoded already; characters that no request line can hold are encoded all the same."""
    queries = "&".join(part for part in (query, urlencode(params)) if part)
    return quote(f"{path or '/'}?{queries}" if queries else path or "/", safe=punctuation)


def _dump(content: Any) -> bytes:
    return json.dumps(content).encode()
