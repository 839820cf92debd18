"""A real API server with the CRDs in a group of their own, so that an installed Seatrial is not touched."""

from __future__ import annotations

import itertools
import json
import os
import uuid
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes import client, config, watch

from seatrial.api import VERSION
from seatrial.api.crd import crds

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
NAMESPACES = "/api/v1/namespaces"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
DEADLINE_SECONDS = 60

Object = dict[str, Any]


class Refusal(Exception):  # noqa: N818 - it is an answer, not a failure of the test
    """The API server said no."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(f"{status}: {message}")


@dataclass(frozen=True)
class Answer:
    """What the API server said."""

    body: Object
    warnings: str
    """Its `Warning` headers."""


def send(
    api_client: client.ApiClient,
    method: str,
    path: str,
    body: object = None,
    *,
    query: dict[str, str] | None = None,
    accept: str = "application/json",
    content_type: str = "application/json",
) -> Answer:
    """Send a request as it is, past the client's models. Raises Refusal."""
    request = api_client.param_serialize(
        method,
        path,
        query_params=list((query or {}).items()),
        header_params={"Accept": accept, "Content-Type": content_type},
        body=body,
        auth_settings=["BearerToken"],
    )
    response = api_client.call_api(*request)
    answer = json.loads(response.read())  # type: ignore[no-untyped-call]
    if response.status >= HTTPStatus.BAD_REQUEST:
        raise Refusal(response.status, str(answer["message"]))
    return Answer(answer, response.headers.get("Warning", ""))


class Api:
    """The objects of our kinds in one namespace, as plain dicts."""

    def __init__(self, api_client: client.ApiClient, group: str, namespace: str) -> None:
        self.client = api_client
        self.group = group
        self.namespace = namespace
        self._names = (f"object-{number}" for number in itertools.count())
        self._url = f"/apis/{group}/{VERSION}"

    def request(self, method: str, path: str, body: object = None, **how: Any) -> Object:
        """Send a request, see `send`. Raises Refusal."""
        return send(self.client, method, path, body, **how).body

    def path(self, plural: str, name: str = "", subresource: str = "") -> str:
        """Path of a collection, an object or a subresource."""
        parts = (self._url, "namespaces", self.namespace, plural, name, subresource)
        return "/".join(part for part in parts if part)

    def create(self, kind: str, spec: object, *, strict: bool = True, dry_run: bool = False) -> Object:
        """Create an object of a kind. Raises Refusal."""
        body = {
            "apiVersion": f"{self.group}/{VERSION}",
            "kind": kind,
            "metadata": {"name": next(self._names)},
            "spec": spec,
        }
        query = {"fieldValidation": "Strict" if strict else "Ignore"} | ({"dryRun": "All"} if dry_run else {})
        return self.request("POST", self.path(f"{kind.lower()}s"), body, query=query)

    def run(self, spec: object, **how: bool) -> Object:
        """Create a TestRun. Raises Refusal."""
        return self.create("TestRun", spec, **how)

    def get(self, run: Object) -> Object:
        """Read a TestRun."""
        return self.request("GET", self.path("testruns", run["metadata"]["name"]))

    def patch(self, run: Object, subresource: str = "", **body: object) -> Object:
        """Merge into a TestRun, or into its status. Raises Refusal."""
        return self.request(
            "PATCH",
            self.path("testruns", run["metadata"]["name"], subresource),
            body,
            content_type="application/merge-patch+json",
            query={"fieldValidation": "Strict"},
        )

    def patch_status(self, run: Object, **status: object) -> Object:
        """Merge into the status of a TestRun. Raises Refusal."""
        return self.patch(run, "status", status=status)


@pytest.fixture(scope="session")
def kubeconfig() -> Path:
    path = Path(os.environ.get("KUBECONFIG") or ROOT / ".cluster/kubeconfig")
    if not path.is_file():
        pytest.fail(
            f"these tests need a real API server, and {path} does not exist: run `make cluster`, or set KUBECONFIG"
        )
    return path


@pytest.fixture(scope="session")
def api_client(kubeconfig: Path) -> Iterator[client.ApiClient]:
    with config.new_client_from_config(config_file=str(kubeconfig)) as found:  # type: ignore[no-untyped-call]
        yield found


@pytest.fixture(scope="session")
def api(api_client: client.ApiClient) -> Iterator[Api]:
    suffix = uuid.uuid4().hex[:10]
    group = f"test-{suffix}.seatrial.dev"
    namespace = f"seatrial-api-{suffix}"
    created: list[str] = []
    try:
        for collection, body in (
            (NAMESPACES, {"metadata": {"name": namespace}}),
            *((DEFINITIONS, crd) for crd in crds(group)),
        ):
            send(api_client, "POST", collection, body)
            created.append(f"{collection}/{body['metadata']['name']}")
        for crd in crds(group):
            _wait_until_served(api_client, crd["metadata"]["name"])
        yield Api(api_client, group, namespace)
    finally:
        for path in reversed(created):
            send(api_client, "DELETE", path)


def _wait_until_served(api_client: client.ApiClient, name: str) -> None:
    conditions: dict[str, tuple[str, str]] = {}
    for event in watch.Watch().stream(  # type: ignore[no-untyped-call]
        client.ApiextensionsV1Api(api_client).list_custom_resource_definition,
        field_selector=f"metadata.name={name}",
        timeout_seconds=DEADLINE_SECONDS,
    ):
        found = event["object"].status.conditions or []
        conditions = {condition.type: (condition.status, condition.message) for condition in found}
        if {kind for kind, (status, _) in conditions.items() if status == "True"} >= {"NamesAccepted", "Established"}:
            return
    pytest.fail(f"{name} was not served after {DEADLINE_SECONDS} s; its conditions: {conditions}")
