"""Somebody with a token, and what the API server answers to them."""

from __future__ import annotations

import base64
import json
import os
import ssl
from dataclasses import dataclass
from functools import cache
from http.client import HTTPSConnection
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from urllib.parse import urlencode, urlsplit

import yaml

from tests.e2e.kubectl import ROOT

Object = dict[str, Any]

JSON = "application/json"
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
SECONDS = 30


@dataclass(frozen=True)
class Answer:
    """What the API server said."""

    status: int
    body: Object

    @property
    def message(self) -> str:
        return str(self.body.get("message", ""))

    @property
    def refused(self) -> bool:
        return self.status >= 400

    def __str__(self) -> str:
        return f"{self.status} {self.message or json.dumps(self.body)[:300]}"


@dataclass(frozen=True)
class Actor:
    """Who it is, in the words of the API server, and the token; without one the administrator speaks for them."""

    name: str = ""
    token: str = ""
    groups: tuple[str, ...] = ()

    def send(self, method: str, path: str, body: Object | None = None, *, content: str = JSON, **query: str) -> Answer:
        """One request, as it is: no client of ours or of kubectl's stands between."""
        status, said = self._request(method, f"{path}?{urlencode(query)}" if query else path, body, content)
        try:
            parsed = json.loads(said)
        except ValueError:
            parsed = {"message": said.decode(errors="replace")[:500]}
        return Answer(status, parsed)

    def text(self, path: str) -> str:
        """An answer that is no JSON: a log."""
        status, said = self._request("GET", path, None, JSON)
        assert status == 200, f"{path}: {status} {said[:500]!r}"
        return said.decode(errors="replace")

    def _request(self, method: str, path: str, body: Object | None, content: str) -> tuple[int, bytes]:
        server, _ = _cluster()
        where = urlsplit(server)
        context = _context(as_administrator=not self.token)
        connection = HTTPSConnection(str(where.hostname), where.port, context=context, timeout=SECONDS)
        try:
            connection.putrequest(method, path)
            for key, value in self._headers(content):
                connection.putheader(key, value)
            text = json.dumps(body).encode() if body is not None else b""
            connection.putheader("Content-Length", str(len(text)))
            connection.endheaders(text)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _headers(self, content: str) -> list[tuple[str, str]]:
        who = [("Impersonate-User", self.name), *(("Impersonate-Group", group) for group in self.groups)]
        if self.token:
            who = [("Authorization", f"Bearer {self.token}")]
        elif not self.name:
            who = []
        return [("Accept", JSON), ("Content-Type", content), *who]

    def kubeconfig(self, folder: Path) -> Path:
        """A kubeconfig with nothing but the token."""
        server, authority = _cluster()
        data = base64.b64encode(authority.encode()).decode()
        path = folder / f"{self.name.rpartition(':')[2]}.kubeconfig"
        path.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": "it", "cluster": {"server": server, "certificate-authority-data": data}}],
                    "users": [{"name": "it", "user": {"token": self.token}}],
                    "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
                    "current-context": "it",
                }
            )
        )
        return path


ADMINISTRATOR = Actor()


def listed(path: str) -> list[Object]:
    """The objects of a collection, as the administrator sees them."""
    answer = ADMINISTRATOR.send("GET", path)
    assert answer.status == 200, f"{path}: {answer}"
    return list(answer.body["items"])


def account(namespace: str, name: str) -> Actor:
    """A service account, with a token as its pods would have one."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
    answer = ADMINISTRATOR.send("POST", path, request)
    assert answer.status == 201, f"{path}: {answer}"
    return Actor(f"system:serviceaccount:{namespace}:{name}", answer.body["status"]["token"])


def with_every_right(namespace: str, name: str) -> Actor:
    """The same identity, to which RBAC grants everything: what is refused then, is refused by a policy."""
    groups = ("system:authenticated", "system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:masters")
    return Actor(f"system:serviceaccount:{namespace}:{name}", groups=groups)


@cache
def _context(*, as_administrator: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=_cluster()[1])
    if as_administrator:
        user = _kubeconfig()["users"][0]["user"]
        with NamedTemporaryFile() as file:
            for key in ("client-certificate-data", "client-key-data"):
                file.write(base64.b64decode(user[key]))
            file.flush()
            context.load_cert_chain(file.name)
    return context


@cache
def _kubeconfig() -> Object:
    path = Path(os.environ.get("KUBECONFIG") or ROOT / ".cluster" / "kubeconfig")
    return dict(yaml.safe_load(path.read_text()))


@cache
def _cluster() -> tuple[str, str]:
    """Address and certificate authority of the API server."""
    cluster = _kubeconfig()["clusters"][0]["cluster"]
    return cluster["server"], base64.b64decode(cluster["certificate-authority-data"]).decode()
