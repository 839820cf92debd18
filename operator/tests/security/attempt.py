"""One request that must be refused: who sends it, and who refuses it. `$names` in it are those of the scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .actors import JSON, MERGE

Object = dict[str, Any]

REFUSED_BY = {
    "RBAC": r"cannot \w+ resource|attempting to grant RBAC permissions not currently held",
    "fence": r"ValidatingAdmissionPolicy 'seatrial-fence'",
    "reserved": r"ValidatingAdmissionPolicy 'seatrial-reserved'",
    "secrets": r"ValidatingAdmissionPolicy 'seatrial-secrets'.*(may not read|may name 16 Secrets)",
    "configmaps": r"ValidatingAdmissionPolicy 'seatrial-configmaps'.*may not read",
    "Pod Security": r"violates PodSecurity \"restricted",
    "schema": r"unknown field|is invalid|does not match the namespace|strict decoding",
}
"""What refuses something, and how it says so."""
CORE, RBAC, OURS = "/api/v1/namespaces", "/apis/rbac.authorization.k8s.io/v1", "/apis/seatrial.dev/v1alpha1/namespaces"
STRICT = {"fieldValidation": "Strict"}
OPERATOR, MIGHTY = "operator", "operator with every right"


@dataclass(frozen=True)
class Attempt:
    """One request that must be refused."""

    who: str
    what: str
    method: str
    path: str
    body: Object | None = None
    content: str = JSON
    by: tuple[str, ...] = ("RBAC",)
    query: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.who}: {self.what}"


def post(who: str, what: str, path: str, body: Object, *by: str, strict: bool = False) -> Attempt:
    query = tuple(STRICT.items()) if strict else ()
    return Attempt(who, what, "POST", path, body, by=by or ("RBAC",), query=query)


def merge(who: str, what: str, path: str, body: Object, *by: str) -> Attempt:
    return Attempt(who, what, "PATCH", path, body, MERGE, by or ("RBAC",))


def get(who: str, what: str, path: str) -> Attempt:
    return Attempt(who, what, "GET", path)


def delete(who: str, what: str, path: str, *by: str) -> Attempt:
    return Attempt(who, what, "DELETE", path, by=by or ("RBAC",))
