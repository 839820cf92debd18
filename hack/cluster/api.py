"""A minimal client of the API server for what the node itself has to ask; one connection, for one thread."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import TYPE_CHECKING, Any

from hack.cluster.errors import ClusterError
from hack.cluster.pki import ADMIN, AUTHORITY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CREATED_OR_THERE = (200, 201, 409)


class Api:
    """Talks to https://127.0.0.1:port with the administrator's certificate."""

    def __init__(self, port: int, pki: Path, timeout: float = 10) -> None:
        self._context = ssl.create_default_context(cafile=str(pki / f"{AUTHORITY}.crt"))
        self._context.load_cert_chain(pki / f"{ADMIN.file}.crt", pki / f"{ADMIN.file}.key")
        self._port = port
        self._timeout = timeout

    def request(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """Status and body of the answer; OSError or http.client.HTTPException when there is none."""
        connection = self._connect()
        try:
            response = self._send(connection, method, path, body)
            return response.status, response.read()
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        """The parsed object at `path`; ClusterError when the server does not give it."""
        status, content = self.request("GET", path)
        if status != http.client.OK:
            raise ClusterError(f"GET {path} answered {status}: {content.decode(errors='replace')[:300]}")
        return json.loads(content)

    def create(self, path: str, body: dict[str, Any]) -> None:
        """Create an object; that it exists already is fine."""
        status, content = self.request("POST", path, body)
        if status not in CREATED_OR_THERE:
            raise ClusterError(f"POST {path} answered {status}: {content.decode(errors='replace')[:300]}")

    def watch(self, path: str, resource_version: str, seconds: int) -> Iterator[Any]:
        """Events after `resource_version`, until the server ends the stream after `seconds`."""
        connection = self._connect(seconds + self._timeout)
        try:
            query = f"watch=1&allowWatchBookmarks=true&timeoutSeconds={seconds}&resourceVersion={resource_version}"
            response = self._send(connection, "GET", f"{path}?{query}", None)
            if response.status != http.client.OK:
                raise ClusterError(f"watch of {path} answered {response.status}: {response.read()[:300]!r}")
            for line in response:
                yield json.loads(line)
        finally:
            connection.close()

    def healthy(self) -> bool:
        try:
            return self.request("GET", "/readyz")[0] == http.client.OK
        except (OSError, http.client.HTTPException):
            return False

    def node_ready(self, name: str) -> bool:
        """Whether the node object exists and has the condition Ready."""
        status, content = self.request("GET", f"/api/v1/nodes/{name}")
        if status != http.client.OK:
            return False
        conditions = json.loads(content).get("status", {}).get("conditions", [])
        return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)

    def _connect(self, timeout: float | None = None) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(
            "127.0.0.1", self._port, context=self._context, timeout=timeout or self._timeout
        )

    @staticmethod
    def _send(connection: http.client.HTTPSConnection, method: str, path: str, body: Any) -> http.client.HTTPResponse:
        content = None if body is None else json.dumps(body).encode()
        connection.request(method, path, content, {"Content-Type": "application/json"} if content else {})
        return connection.getresponse()
