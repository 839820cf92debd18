"""TestRuns of a cluster, as the user of a kubeconfig sees them. The only module of the CLI that uses kubernetes."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import yaml
from kubernetes.aio import client, config

from seatrial.cli.exits import CliError, Exit
from seatrial.cli.record import RunRecord
from seatrial.errors import ClusterError, ConflictError, ForbiddenError, InvalidError, NotFoundError, UnavailableError
from seatrial.kube.paths import TESTRUNS, collection, collection_of, ours
from seatrial.kube.requests import APPLY_PATCH, MERGE_PATCH, Requests
from seatrial.naming import RUN_UID_LABEL

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from seatrial.cli.options import Where

Object = dict[str, Any]

CONNECTIONS = 64
"""A log that is followed keeps its own."""
REFRESH_SECONDS = 10.0
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
FIELD_MANAGER = "seatrial-cli"
_TROUBLES = {
    "certificate verify failed": "its certificate is not signed by an authority that the kubeconfig or this machine trusts",
    "ConnectionRefusedError": "the connection was refused",
    "gaierror": "its name cannot be resolved",
    "DNSError": "its name cannot be resolved",
    "TimeoutError": "no answer in time",
}
"""What is in the text of an error, and how people call it."""
MAX_PREFIX = 247
"""Of a generated name: with a dash and five letters it has the 253 characters that a name may have."""
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
"""Of generated names; those that Kubernetes uses, which make no words."""


class RunCluster:
    """What commands ask of a cluster. Every call raises CliError with what to do about it."""

    def __init__(self, requests: Requests, server: str, namespace: str, where: Where) -> None:
        self._requests = requests
        self.server = server
        self.namespace = namespace
        """The namespace that is meant when none is named."""
        self.where = where

    async def read_run(self, name: str) -> Object:
        try:
            return await self._requests.call("GET", f"{ours('TestRun', self.namespace)}/{name}")
        except NotFoundError as error:
            raise self._missing(name, error) from None
        except ClusterError as error:
            raise self.explain(error, f"TestRun {self.namespace}/{name} cannot be read") from None

    async def read_record(self, name: str) -> RunRecord:
        """A TestRun and all its results."""
        run = await self.read_run(name)
        try:
            selector = f"{RUN_UID_LABEL}={run['metadata']['uid']}"
            slices = await self._requests.list_all(ours("TestResultSlice", self.namespace), selector)
        except ClusterError as error:
            raise self.explain(error, f"the results of TestRun {self.namespace}/{name} cannot be read") from None
        return RunRecord(run, slices)

    async def list_runs(self, selector: str = "", *, everywhere: bool = False) -> list[Object]:
        try:
            path = TESTRUNS if everywhere else ours("TestRun", self.namespace)
            return await self._requests.list_all(path, selector)
        except ClusterError as error:
            raise self.explain(error, "the TestRuns cannot be listed") from None

    async def look(self, name: str) -> tuple[Object | None, str]:
        """A TestRun, or None, and the version of the collection from which a watch goes on. Raises ClusterError."""
        path, query = ours("TestRun", self.namespace), [("fieldSelector", f"metadata.name={name}")]
        answer = await self._requests.call("GET", path, query=query)
        items = answer.get("items") or []
        return (items[0] if items else None), str(answer["metadata"]["resourceVersion"])

    async def watch(self, name: str, version: str, seconds: int) -> AsyncGenerator[tuple[str, Object], None]:
        """Types of events and TestRuns, for so many seconds at most. Raises ClusterError, or ends before."""
        query = [
            ("watch", "1"),
            ("fieldSelector", f"metadata.name={name}"),
            ("resourceVersion", version),
            ("timeoutSeconds", str(seconds)),
        ]
        what = f"watch of TestRun {self.namespace}/{name}"
        async with aclosing(self._lines(ours("TestRun", self.namespace), query, what)) as lines:
            async for line in lines:
                event = json.loads(line)
                yield str(event["type"]), event["object"]

    async def ask(
        self, method: str, path: str, *, query: list[tuple[str, str]] | None = None, body: Object | None = None
    ) -> Object:
        """Any other question, such as what is installed and what its user may do. Raises ClusterError."""
        return await self._requests.call(method, path, query=query, body=body)

    async def create(self, item: Object) -> Object:
        """Create a TestRun, also under a generated name."""
        # Not twice, if an answer is lost: the name is made here.
        metadata = dict(item["metadata"])
        if prefix := metadata.pop("generateName", ""):
            metadata["name"] = f"{prefix[:MAX_PREFIX]}{generated_suffix()}"
        return await self._do(
            "POST", ours("TestRun", self.namespace), {**item, "metadata": metadata}, "cannot be created"
        )

    async def apply(self, item: Object) -> Object:
        """Make an object be as described (server-side apply)."""
        path = f"{collection_of(item)}/{item['metadata']['name']}"
        return await self._do("PATCH", path, item, "cannot be applied", content_type=APPLY_PATCH)

    async def patch_spec(self, run: Object, spec: Object) -> Object:
        """Change some members of the spec of this very TestRun."""
        metadata = run["metadata"]
        path = f"{ours('TestRun', metadata['namespace'])}/{metadata['name']}"
        body = {"kind": "TestRun", "metadata": {"uid": metadata["uid"], "name": metadata["name"]}, "spec": spec}
        return await self._do("PATCH", path, body, "cannot be changed", content_type=MERGE_PATCH)

    async def delete(self, run: Object) -> None:
        """Delete this very TestRun; one that is gone already is no error."""
        metadata = run["metadata"]
        path = f"{ours('TestRun', metadata['namespace'])}/{metadata['name']}"
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": metadata["uid"]}}
        try:
            await self._requests.call("DELETE", path, body=body)
        except (NotFoundError, ConflictError):  # another one of its name is not meant
            return
        except ClusterError as error:
            what = f"TestRun {metadata['namespace']}/{metadata['name']} cannot be deleted"
            raise self.explain(error, what) from None

    async def pods(self, namespace: str, selector: str) -> list[Object]:
        """The pods of an environment."""
        try:
            return await self._requests.list_all(collection("v1", "Pod", namespace), selector)
        except ClusterError as error:
            raise self.explain(error, f"the pods in namespace {namespace} cannot be listed") from None

    async def log(self, namespace: str, pod: str, container: str, *, follow: bool) -> AsyncGenerator[bytes, None]:
        """The lines of a container's log, and those to come."""
        path = f"{collection('v1', 'Pod', namespace)}/{pod}/log"
        query = [("container", container), *([("follow", "true")] if follow else [])]
        try:
            async with aclosing(self._lines(path, query, f"log of pod {namespace}/{pod}")) as lines:
                async for line in lines:
                    yield line
        except ClusterError as error:
            raise self.explain(error, f"the log of {pod} cannot be read") from None

    def _lines(self, path: str, query: list[tuple[str, str]], what: str) -> AsyncGenerator[bytes, None]:
        # The type of the method says only that it is an iterator; it is closed here as what it is.
        return cast("AsyncGenerator[bytes, None]", self._requests.read_lines(path, query, what))

    async def _do(
        self, method: str, path: str, item: Object, failure: str, *, content_type: str = "application/json"
    ) -> Object:
        query = [("fieldManager", FIELD_MANAGER), *([("force", "true")] if content_type == APPLY_PATCH else [])]
        try:
            return await self._requests.call(method, path, query=query, body=item, content_type=content_type)
        except ClusterError as error:
            raise self.explain(error, f"{item['kind']} {item['metadata']['name']} {failure}") from None

    def _missing(self, name: str, error: NotFoundError) -> CliError:
        if "the server could not find the requested resource" in str(error):
            return self.explain(error, "")
        return CliError(
            f"there is no TestRun {name} in namespace {self.namespace} of {self.server}; "
            f"see: seatrial status -A{self.where.cluster_flags}"
        )

    def explain(self, error: ClusterError, what: str) -> CliError:
        """An answer of the API server as an error for people."""
        if isinstance(error, UnavailableError):
            said = next((words for mark, words in _TROUBLES.items() if mark in str(error)), str(error))
            return CliError(f"the cluster at {self.server} does not answer: {said}")
        if isinstance(error, NotFoundError) and "could not find the requested resource" in str(error):
            return CliError(
                f"the cluster at {self.server} knows no TestRuns: Seatrial is not installed there; "
                "install the chart, or use another --context"
            )
        if isinstance(error, InvalidError):
            return CliError(f"{what}: {error}", Exit.USAGE)
        if isinstance(error, ForbiddenError):
            return CliError(f"{what}: you may not: {error}")
        return CliError(f"{what}: {error}")


def generated_suffix() -> str:
    """Five letters by chance, as Kubernetes puts them behind `generateName`."""
    return "".join(secrets.choice(_LETTERS) for _ in range(5))


@asynccontextmanager
async def connect(where: Where) -> AsyncIterator[RunCluster]:
    """The cluster of the kubeconfig, or the one around this pod when there is none. Raises CliError."""
    access = client.Configuration()
    namespace, loader = await _load(where, access)
    requests = Requests(access, CONNECTIONS)
    # Tokens of cloud providers are valid for minutes, and a run may take hours.
    refreshing = asyncio.create_task(_refresh(loader, access)) if loader is not None else None
    try:
        yield RunCluster(requests, str(access.host), where.namespace or namespace, where)
    finally:
        if refreshing is not None:
            refreshing.cancel()
            await asyncio.gather(refreshing, return_exceptions=True)
        await requests.close()


async def _refresh(loader: Any, access: client.Configuration) -> None:
    while True:
        # It returns at once where nothing can be refreshed, and raises when a provider's program fails for once.
        with suppress(Exception):
            await config.refresh_token(loader, access)  # type: ignore[no-untyped-call]
            return
        await asyncio.sleep(REFRESH_SECONDS)


def _is_there(files: str) -> bool:
    """Whether one of the files of a KUBECONFIG is there."""
    return any(Path(file).expanduser().is_file() for file in files.split(os.pathsep) if file)


def _namespace_of_pod() -> str:
    """The namespace of the pod that this runs in, empty outside of a cluster."""
    with suppress(OSError):
        return (SERVICE_ACCOUNT / "namespace").read_text().strip()
    return ""


async def _load(where: Where, access: client.Configuration) -> tuple[str, Any]:
    """Fill in how to reach the cluster; returns the namespace that is meant without -n, and what can renew a token."""
    named = str(where.kubeconfig or os.environ.get("KUBECONFIG") or "")
    files = named or str(Path.home() / ".kube" / "config")
    if not _is_there(files):
        namespace = "" if named or where.context else _namespace_of_pod()
        if namespace:
            config.load_incluster_config(client_configuration=access)  # type: ignore[no-untyped-call]
            return namespace, None
        raise CliError(f"there is no kubeconfig at {files}; name one with --kubeconfig or KUBECONFIG")
    try:
        if where.context:
            contexts, _ = config.list_kube_config_contexts(files)  # type: ignore[no-untyped-call]
            names = [str(item["name"]) for item in contexts]
            if where.context not in names:
                raise CliError(f"{files} has no context {where.context}; it has: {', '.join(names) or 'none'}")
        loader = await config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=files, context=where.context or None, client_configuration=access
        )
        return str(loader.current_context["context"].get("namespace") or "default"), loader
    except (config.ConfigException, OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise CliError(f"the kubeconfig {files} cannot be used: {error}") from None
