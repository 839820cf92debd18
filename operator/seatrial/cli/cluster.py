"""TestRuns of a cluster, as the user of a kubeconfig sees them. The only module of the CLI that uses kubernetes."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubernetes.aio import client, config

from seatrial.cli.exits import CliError
from seatrial.cli.record import RunRecord
from seatrial.errors import ClusterError, ForbiddenError, NotFoundError, UnavailableError
from seatrial.kube.paths import TESTRUNS, collection, ours
from seatrial.kube.requests import APPLY_PATCH, MERGE_PATCH, Requests
from seatrial.naming import RUN_UID_LABEL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from seatrial.cli.options import Where

Object = dict[str, Any]

CONNECTIONS = 8
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
FIELD_MANAGER = "seatrial-cli"
_AS_OURS = [("fieldManager", FIELD_MANAGER)]


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

    def _missing(self, name: str, error: NotFoundError) -> CliError:
        if "the server could not find the requested resource" in str(error):
            return self.explain(error, "")
        return CliError(
            f"there is no TestRun {name} in namespace {self.namespace} of {self.server}; "
            f"see: seatrial status -A{self._cluster_flags}"
        )

    def explain(self, error: ClusterError, what: str) -> CliError:
        """An answer of the API server as an error for people."""
        if isinstance(error, UnavailableError):
            return CliError(f"the cluster at {self.server} does not answer: {error}")
        if isinstance(error, NotFoundError) and "could not find the requested resource" in str(error):
            return CliError(
                f"the cluster at {self.server} knows no TestRuns: Seatrial is not installed there; "
                "install the chart, or use another --context"
            )
        if isinstance(error, ForbiddenError):
            return CliError(f"{what}: you may not: {error}")
        return CliError(f"{what}: {error}")

    @property
    def _cluster_flags(self) -> str:
        named = (("--kubeconfig", self.where.kubeconfig), ("--context", self.where.context))
        return "".join(f" {flag} {value}" for flag, value in named if value)


@asynccontextmanager
async def connect(where: Where) -> AsyncIterator[RunCluster]:
    """The cluster of the kubeconfig, or the one around this pod when there is none. Raises CliError."""
    access = client.Configuration()
    namespace = await _load(where, access)
    requests = Requests(access, CONNECTIONS)
    try:
        yield RunCluster(requests, str(access.host), where.namespace or namespace, where)
    finally:
        await requests.close()


async def _load(where: Where, access: client.Configuration) -> str:
    """Fill in how to reach the cluster; returns the namespace that is meant without -n."""
    named = str(where.kubeconfig or os.environ.get("KUBECONFIG") or "")
    files = named or str(Path.home() / ".kube" / "config")
    if not any(Path(file).expanduser().is_file() for file in files.split(os.pathsep)):
        if not named and not where.context and (SERVICE_ACCOUNT / "token").is_file():
            config.load_incluster_config(client_configuration=access)  # type: ignore[no-untyped-call]
            return (SERVICE_ACCOUNT / "namespace").read_text().strip()
        raise CliError(f"there is no kubeconfig at {files}; name one with --kubeconfig or KUBECONFIG")
    try:
        contexts, current = config.list_kube_config_contexts(files)  # type: ignore[no-untyped-call]
        if where.context:
            names = [item["name"] for item in contexts]
            if where.context not in names:
                raise CliError(f"{files} has no context {where.context}; it has {', '.join(names) or 'none'}")
            current = next(item for item in contexts if item["name"] == where.context)
        await config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=files, context=where.context or None, client_configuration=access
        )
    except (config.ConfigException, OSError, ValueError, KeyError, TypeError) as error:
        raise CliError(f"the kubeconfig {files} cannot be used: {error}") from None
    return str(current["context"].get("namespace") or "default")
