"""The checks of doctor one by one: machines and clusters that lack something."""

from __future__ import annotations

import copy
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from seatrial import __version__
from seatrial.api.crd import crds
from seatrial.cli.doctor import Check, State, machine, services
from seatrial.cli.doctor.cluster import check_cluster
from seatrial.cli.options import Where
from seatrial.local.servers import Launch, NoServerError
from seatrial.local.servers.model import Unfit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from seatrial.local.servers import Search, Wanted


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def test_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for free, state in ((10, State.FAIL), (500 * 2**20, State.WARN), (2**33, State.OK)):
        monkeypatch.setattr(machine.shutil, "disk_usage", lambda _path, free=free: SimpleNamespace(free=free))
        assert machine.check_room().state is state
    monkeypatch.undo()
    monkeypatch.setattr(machine, "data_place", lambda: tmp_path / "none")
    assert machine.check_room() == Check(
        "machine",
        "room for data",
        State.FAIL,
        "No such file or directory",
        "set TMPDIR to a folder that is there",
    )


def test_memory(tmp_path: Path) -> None:
    table = tmp_path / "meminfo"
    table.write_text("MemTotal: 16000000 kB\nMemAvailable: 100000 kB\n")
    assert machine.check_memory(table) == Check(
        "machine", "memory", State.WARN, "97 MiB available", "end something: Kafka alone takes up to 1024 MiB"
    )
    table.write_text("MemAvailable: 16000000 kB\n")
    assert machine.check_memory(table).state is State.OK
    table.write_text("nothing")
    assert machine.check_memory(table).state is State.OK


def test_a_program_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    check = machine.check_docker()
    assert (check.state, check.next) == (State.WARN, "docker version")
    program.write_text("#!/bin/sh\necho 27.1\n")
    assert machine.check_docker().seen == "daemon 27.1"


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], None]:
    """A machine on which these services have these providers."""

    def use(found: dict[str, str]) -> None:
        def find(wanted: Wanted, _search: Search) -> Launch:
            if wanted.service not in found:
                tried = [Unfit("PATH", "no such program"), Unfit("Docker", "no daemon")]
                raise NoServerError(wanted.service, None, tried, "install it")
            return Launch((), {}, wanted.folder, found[wanted.service])

        monkeypatch.setattr(services, "find_server", find)

    return use


def test_services_that_can_be_started(engine: Callable[[dict[str, str]], None]) -> None:
    engine({"redis": "redis-server 7.0.15 on PATH"})
    checks = by_name(list(services.check_services(["postgres"])))
    assert checks["redis"] == Check("services", "redis", State.OK, "redis-server 7.0.15 on PATH")
    assert checks["kafka"] == Check(
        "services", "kafka", State.WARN, "PATH: no such program; Docker: no daemon", "install it"
    )
    assert checks["postgres"].state is State.FAIL, "it is needed"
    assert "any service" not in checks


def test_a_machine_without_any_service(engine: Callable[[dict[str, str]], None]) -> None:
    engine({})
    assert by_name(list(services.check_services()))["any service"].state is State.FAIL


Answers = dict[str, tuple[int, Any]]
HEALTHY: Answers = {
    "/version": (200, {"gitVersion": "v1.36.1"}),
    **{
        f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{item['metadata']['name']}": (200, item)
        for item in crds()
    },
    "/apis/apps/v1/deployments": (
        200,
        {
            "items": [
                {
                    "metadata": {
                        "name": "seatrial",
                        "namespace": "seatrial-system",
                        "labels": {"app.kubernetes.io/version": __version__},
                    },
                    "status": {"readyReplicas": 1},
                }
            ]
        },
    ),
    "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews": (201, {"status": {"allowed": True}}),
    "/api/v1/namespaces/seatrial-system/configmaps/seatrial-status": (
        200,
        {"data": {"networkPoliciesEnforced": "True", "networkPoliciesMessage": "they were refused"}},
    ),
}
POLICIES = "/api/v1/namespaces/seatrial-system/configmaps/seatrial-status"
CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/testruns.seatrial.dev"
DEPLOYMENTS = "/apis/apps/v1/deployments"
REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Callable[[Answers], Where]]:
    """An API server that gives some answers, and a kubeconfig for it."""
    answers: Answers = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, body = answers.get(self.path.partition("?")[0], (404, {"kind": "Status", "message": "not found"}))
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = _answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        config = tmp_path / "kubeconfig"
        config.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
                    "users": [{"name": "u", "user": {"token": "t"}}],
                    "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "team"}}],
                    "current-context": "x",
                }
            )
        )

        def use(given: Answers) -> Where:
            answers.update(copy.deepcopy(given))
            return Where(kubeconfig=config)

        try:
            yield use
        finally:
            server.shutdown()
            thread.join()


async def test_a_healthy_cluster(cluster: Callable[[Answers], Where]) -> None:
    checks = await check_cluster(cluster(HEALTHY))
    assert {check.state for check in checks} == {State.OK}, checks
    assert by_name(checks)["operator"].seen == f"seatrial-system/seatrial is ready, version {__version__}"
    assert by_name(checks)["may create testruns"].seen == "in namespace team"


async def test_a_cluster_without_the_product(cluster: Callable[[Answers], Where]) -> None:
    checks = by_name(
        await check_cluster(cluster({"/version": HEALTHY["/version"], "/apis/apps/v1/deployments": (200, {})}))
    )
    assert checks["kind TestRun"].state is State.FAIL
    assert checks["kind TestRun"].next.startswith("helm upgrade --install seatrial")
    assert checks["operator"].state is State.FAIL


def older() -> dict[str, Any]:
    """The CRD as a version had it that knew no parallelism."""
    definition = copy.deepcopy(crds()[0])
    del definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"][
        "parallelism"
    ]
    return definition


@pytest.mark.parametrize(
    ("changes", "name", "state", "seen"),
    [
        ({"/version": (200, {"gitVersion": "v1.27.3"})}, "connection", State.FAIL, "Kubernetes v1.27.3"),
        ({CRD: (200, older())}, "kind TestRun", State.WARN, "is of another version: it lacks spec.parallelism"),
        ({CRD: (403, {"message": "no"})}, "kind TestRun", State.WARN, "you may not read CustomResourceDefinitions"),
        (
            {DEPLOYMENTS: (200, {"items": [{"metadata": {"name": "s", "namespace": "n"}, "status": {}}]})},
            "operator", State.FAIL, "n/s is not ready",
        ),
        (
            {"/apis/apps/v1/deployments": (200, {"items": [{
                "metadata": {"name": "s", "namespace": "n", "labels": {"app.kubernetes.io/version": "0.0.9"}},
                "status": {"readyReplicas": 1},
            }]})},
            "operator", State.WARN, f"version 0.0.9; this is {__version__}",
        ),
        ({"/apis/apps/v1/deployments": (403, {})}, "operator", State.WARN, "you may not list Deployments"),
        (
            {POLICIES: (200, {"data": {"networkPoliciesEnforced": "False", "networkPoliciesMessage": "open"}})},
            "network policies", State.WARN, "open",
        ),
        ({POLICIES: (200, {})}, "network policies", State.WARN, "or was told not to look"),
        ({POLICIES: (404, {"message": "not found"})}, "network policies", State.WARN, "not known"),
        # Who may not list Deployments looks where the guide has it installed.
        ({DEPLOYMENTS: (403, {})}, "network policies", State.OK, "they were refused"),
        ({REVIEW: (201, {"status": {"allowed": False}})}, "may create testruns", State.FAIL, "not in namespace team"),
        ({REVIEW: (201, {"status": {"allowed": False}})}, "may delete testruns", State.WARN, "not in namespace team"),
        ({REVIEW: (403, {"message": "no"})}, "may create testruns", State.WARN, "cannot be asked"),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_a_cluster(
    cluster: Callable[[Answers], Where], changes: Answers, name: str, state: State, seen: str
) -> None:
    check = by_name(await check_cluster(cluster(HEALTHY | changes)))[name]
    assert check.state is state
    assert seen in check.seen


async def test_who_may_not_look_for_the_operator_can_say_where_it_is(cluster: Callable[[Answers], Where]) -> None:
    """A tenant: no Deployments, and everybody's ConfigMap in another namespace than the guide's."""
    elsewhere = POLICIES.replace("seatrial-system", "ops")
    answers = HEALTHY | {
        DEPLOYMENTS: (403, {}),
        POLICIES: (403, {"message": "no"}),
        "/apis/apps/v1/namespaces/ops/deployments": (403, {}),
        elsewhere: HEALTHY[POLICIES],
    }
    where = cluster(answers)
    lost = by_name(await check_cluster(where))["network policies"]
    assert lost.state is State.WARN
    assert "looked in seatrial-system, since you may not list Deployments" in lost.seen
    assert "--operator-namespace NAMESPACE" in lost.next
    found = by_name(await check_cluster(where, "ops"))
    assert found["network policies"].state is State.OK
    assert found["operator"].seen == "you may not list Deployments in namespace ops: not looked at"
    assert "auth can-i list deployments.apps -n ops" in found["operator"].next
