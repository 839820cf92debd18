"""The life of an installation with runs in flight: upgraded, rolled back, uninstalled, back again, and without Helm."""

from __future__ import annotations

import json
import re
import shutil
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from hack.cluster.layout import API_SERVICE_ADDRESS, OUTSIDE_ADDRESS
from hack.install.digests import by_digest
from tests.security.dialling import ALONE, DIAL, server_pod

from .chart import CHART, RELEASE, helm, upgrade
from .ends import PASSED, End, expect
from .kubectl import OPERATOR_NAMESPACE, ROOT, condition, eventually, get, items, kubectl

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .kubectl import Object, Tenant

pytestmark = [pytest.mark.e2e, pytest.mark.disruptive]

DEFINITION = "testruns.seatrial.dev"
ONE = "def test_one(): pass\n"
HANG = "import threading\ndef test_one(): pass\ndef test_two(): threading.Event().wait()\n"
# Long enough for an operator to be replaced meanwhile, and no longer.
SLOW = "import pytest, time\n@pytest.mark.parametrize('n', range(24))\ndef test_one(n): time.sleep(0.5)\n"


@pytest.fixture(scope="module", autouse=True)
def taken_over(operator: None) -> None:
    """Tests of settings patch what is Helm's: it has to be its own again, or the first upgrade is a conflict."""
    del operator
    upgrade(CHART, "--force-conflicts", "--reset-values")


@pytest.fixture(autouse=True)
def installation(taken_over: None) -> Iterator[None]:
    """Whatever a test does to it, afterwards the release is there as `make install` leaves it."""
    del taken_over
    yield
    if not get("deployment", "seatrial", OPERATOR_NAMESPACE):
        kubectl("wait", "--for=delete", f"crd/{DEFINITION}", "--timeout=60s", check=False)
    # An uninstallation that failed leaves a release that Helm does not upgrade: it is to be forgotten first.
    kubectl("delete", "secret", "-n", OPERATOR_NAMESPACE, "-l", f"owner=helm,name={RELEASE},status=uninstalling")
    upgrade(CHART, "--take-ownership", "--force-conflicts", "--reset-values")


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """A chart of an earlier version, whose definition lacks a column and a field."""
    chart = tmp_path / "seatrial"
    shutil.copytree(CHART, chart)
    about = chart / "Chart.yaml"
    about.write_text(about.read_text().replace("version: 0.1.0", "version: 0.0.9"))
    path = chart / "files" / "crds" / f"{DEFINITION}.yaml"
    definition = yaml.safe_load(path.read_text())
    version = definition["spec"]["versions"][0]
    version["additionalPrinterColumns"] = [
        column for column in version["additionalPrinterColumns"] if column["name"] != "FLAKY"
    ]
    del version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]["duration"]
    path.write_text(yaml.safe_dump(definition))
    return chart


def columns() -> set[str]:
    definition = get("crd", DEFINITION)
    assert definition is not None
    return {column["name"] for column in definition["spec"]["versions"][0]["additionalPrinterColumns"]}


def revision() -> int:
    return max(int(item["revision"]) for item in json.loads(helm("history", RELEASE, "-o", "json")))


def in_flight(tenant: Tenant) -> Object:
    """A run that goes on until it is told to end."""
    tenant.tests("hangs", HANG)
    tenant.run("hangs", services={"redis": {}}, retention={"onFailure": "10m"})
    tenant.in_phase("hangs", "Running")
    eventually("its first result is in", lambda: tenant.get("hangs")["status"]["summary"]["passed"])
    return tenant.get("hangs")


def environment_of(run: Object) -> Object | None:
    return get("namespace", run["status"]["namespace"])


def test_upgraded_and_rolled_back_while_runs_go_on(older: Path, tenant: Tenant) -> None:
    """Definitions follow the chart in both directions, and no run notices."""
    upgrade(older)
    assert "FLAKY" not in columns()
    before = revision()
    run = in_flight(tenant)
    tenant.tests("slow", SLOW)
    tenant.run("slow", services={"redis": {}})
    tenant.in_phase("slow", "Running")
    upgrade(CHART, "--set", "maxActiveRuns=5")
    assert "FLAKY" in columns()
    expect(tenant, "slow", End("Passed", "AllTestsPassed", passed="24/24"))
    assert tenant.get("slow")["status"]["duration"]
    tenant.run("again", suites=[{"name": "it", "testsFrom": {"configMapRef": {"name": "slow"}}}])
    tenant.in_phase("again", "Running")
    helm("rollback", RELEASE, str(before), "--wait", "--timeout", "2m")
    assert "FLAKY" not in columns()
    expect(tenant, "again", End("Passed", "AllTestsPassed", passed="24/24"))
    same = tenant.get("hangs")
    assert (same["metadata"]["uid"], same["status"]["phase"]) == (run["metadata"]["uid"], "Running")
    tenant.patch("hangs", cancel=True, retention={"onFailure": "0s"})
    expect(tenant, "hangs", End("Cancelled", "Cancelled", passed="1/2"))


def test_uninstalled_while_runs_go_on(tenant: Tenant) -> None:
    """First every run ends and every environment goes; definitions, TestRuns and results stay, and nothing hangs."""
    run = in_flight(tenant)
    tenant.tests("kept", ONE)
    tenant.run("kept", retention={"onSuccess": "10m"})
    kept = tenant.finished("kept")
    tenant.tests("held", ONE)
    tenant.run("held", suspend=True)
    tenant.in_phase("held", "Pending")
    helm("uninstall", RELEASE, "--wait", "--timeout", "3m")
    assert get("deployment", "seatrial", OPERATOR_NAMESPACE) is None
    assert environment_of(run) is None
    assert environment_of(kept) is None
    ends = {name: tenant.get(name) for name in ("hangs", "kept", "held")}
    assert {name: item["status"]["phase"] for name, item in ends.items()} == {
        "hangs": "Cancelled", "kept": "Passed", "held": "Cancelled",
    }  # fmt: skip
    for item in ends.values():
        assert condition(item, "EnvironmentCleaned")["status"] == "True"
        assert item["metadata"].get("finalizers") is None
    assert tenant.slices("kept")
    left = [item["kind"] for kind in ("job", "serviceaccount", "role") for item in items(kind, OPERATOR_NAMESPACE)]
    assert "Job" not in left
    assert "Role" not in left
    assert get("clusterrole", "seatrial-retire") is None
    tenant.delete("held")
    assert get("testrun", "held", tenant.namespace) is None
    upgrade()
    assert tenant.get("kept")["metadata"]["uid"] == kept["metadata"]["uid"]
    tenant.tests("after", ONE)
    tenant.run("after", services={"redis": {}})
    expect(tenant, "after", PASSED)


def test_uninstalled_with_everything(tenant: Tenant) -> None:
    """With `crds.keep=false` nothing of it is left."""
    upgrade(CHART, "--set", "crds.keep=false")
    run = in_flight(tenant)
    helm("uninstall", RELEASE, "--wait", "--timeout", "3m")
    assert get("crd", DEFINITION) is None
    assert environment_of(run) is None
    assert [item["metadata"]["name"] for item in items("clusterroles", "", "app.kubernetes.io/name=seatrial")] == []


def test_an_operator_that_cannot_end_its_runs_is_not_uninstalled(tenant: Tenant) -> None:
    upgrade(CHART, "--set", "uninstall.timeoutSeconds=3")
    run = in_flight(tenant)
    # An operator that is stopped does not do what it is told.
    kubectl("scale", "deployment/seatrial", "-n", OPERATOR_NAMESPACE, "--replicas=0")
    said = helm("uninstall", RELEASE, "--timeout", "1m", check=False)
    assert "failed" in said.lower()
    assert get("deployment", "seatrial", OPERATOR_NAMESPACE) is not None
    log = kubectl("logs", "-n", OPERATOR_NAMESPACE, "job/seatrial-retire")
    assert f"{tenant.namespace}/hangs (Running)" in log
    assert "helm uninstall --no-hooks" in log
    # The Job stays, for its log; what it was allowed to do does not.
    for kind in ("serviceaccount", "role", "rolebinding", "clusterrole", "clusterrolebinding"):
        namespace = "" if kind.startswith("cluster") else OPERATOR_NAMESPACE
        eventually(f"{kind} seatrial-retire is gone", partial(_gone, kind, namespace), seconds=10)
    kubectl("scale", "deployment/seatrial", "-n", OPERATOR_NAMESPACE, "--replicas=1")
    expect(tenant, "hangs", End("Cancelled", "Cancelled", passed="1/2"))
    eventually("its environment is gone", lambda: environment_of(run) is None)


def _gone(kind: str, namespace: str) -> bool:
    return get(kind, "seatrial-retire", namespace) is None


def local(text: str) -> str:
    """install.yaml with the images of this cluster, as somebody with a registry of their own would change it."""
    values = yaml.safe_load((ROOT / "hack/install/values-local.yaml").read_text())
    documents = list(yaml.safe_load_all(text))
    for item in documents:
        if item["kind"] == "Deployment":
            item["spec"]["template"]["spec"]["containers"][0]["image"] = values["images"]["agent"]
        if item["kind"] == "ConfigMap" and "data" in item:  # the other one is for what the operator finds out
            config: dict[str, Any] = yaml.safe_load(item["data"]["config.yaml"])
            config["images"] = values["images"]
            config["catalogue"] = {
                name: entry | {"versions": {key: image for key, image in entry["versions"].items() if image}}
                for name, entry in values["catalogue"].items()
            }
            item["data"]["config.yaml"] = yaml.safe_dump(config)
    return yaml.safe_dump_all(documents)


def generations(text: str) -> dict[str, str]:
    """How often each object of a manifest was changed, by whoever it was; of what has a status, its spec alone."""
    found = json.loads(kubectl("get", "-f", "-", "-o", "json", stdin=text))["items"]
    return {
        f"{item['kind']}/{item['metadata']['name']}": str(
            item["metadata"].get("generation") or item["metadata"]["resourceVersion"]
        )
        for item in found
    }


@pytest.mark.parametrize("flags", [[], ["--server-side"]], ids=["client-side", "server-side"])
def test_installed_without_helm(flags: list[str], tenant: Tenant) -> None:
    """`kubectl apply -f install.yaml`, again and again, and gone without a trace."""
    helm("uninstall", RELEASE, "--wait", "--timeout", "3m")
    text = local((ROOT / "charts/install.yaml").read_text())
    force = ["--force-conflicts"] if flags else []
    kubectl("apply", *flags, *force, "-f", "-", stdin=text)
    kubectl("rollout", "status", "deployment/seatrial", "-n", OPERATOR_NAMESPACE, "--timeout=90s")
    before = generations(text)
    kubectl("apply", *flags, *force, "-f", "-", stdin=text)
    # Not what kubectl says: it calls objects configured whose defaults its patch drops and the server puts back.
    assert generations(text) == before
    tenant.tests("plain", ONE)
    tenant.run("plain", services={"redis": {}})
    expect(tenant, "plain", PASSED)
    if flags:
        _remove_as_the_manifest_says(tenant, text)


def _remove_as_the_manifest_says(tenant: Tenant, text: str) -> None:
    """The commands of its header, with a run that is over and one that goes on: nothing hangs and nothing is left."""
    run = in_flight(tenant)
    header = (ROOT / "charts/install.yaml").read_text().partition("---")[0]
    commands = re.findall(r"^#   kubectl (.*)$", header, re.MULTILINE)
    assert [command.split()[0] for command in commands] == ["apply", "delete", "delete"]
    for command in commands[1:]:
        words = ["-" if word == "install.yaml" else word for word in command.split()]
        kubectl(*words, "--timeout=90s", stdin=text if "-" in words else None)
    assert get("crd", DEFINITION) is None
    assert environment_of(run) is None
    assert get("namespace", OPERATOR_NAMESPACE) is None
    upgrade(CHART, "--create-namespace")  # what looks at the operator after each test finds one


def test_nobody_but_prometheus_reaches_the_operator(tenant: Tenant) -> None:
    """A pod of a tenant reads the metrics and nothing else; a pod of a run not even those."""
    address = items("pods", OPERATOR_NAMESPACE, "app.kubernetes.io/name=seatrial")[0]["status"]["podIP"]
    probe = (
        "import socket\n"
        "def reaches(port):\n"
        "    try:\n"
        f"        socket.create_connection(('{address}', port), 2).close()\n"
        "    except OSError:\n"
        "        return False\n"
        "    return True\n"
    )
    tenant.tests("inside", probe + "def test_it(): assert [reaches(9090), reaches(8080)] == [False, False]\n")
    tenant.run("inside")
    expect(tenant, "inside", PASSED)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "neighbour"},
        "spec": {
            "restartPolicy": "Never",
            "containers": [
                {
                    "name": "it",
                    "image": "localhost/seatrial/suite:dev",
                    "command": ["python3", "-c", f"{probe}print([reaches(9090), reaches(8080)])"],
                }
            ],
        },
    }
    tenant.apply(pod)
    kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/neighbour", "-n", tenant.namespace)
    assert kubectl("logs", "neighbour", "-n", tenant.namespace).strip() == "[True, False]"


@pytest.mark.node
def test_what_the_operator_reaches() -> None:
    """The ports of an API server anywhere; with its addresses in the values, only there."""
    slices = items("endpointslices", "default", "kubernetes.io/service-name=kubernetes")
    port, endpoint = slices[0]["ports"][0]["port"], slices[0]["endpoints"][0]["addresses"][0]
    api, same, other = f"tcp:{endpoint}:{port}", f"tcp:{OUTSIDE_ADDRESS}:443", f"tcp:{OUTSIDE_ADDRESS}:80"
    assert _as_the_operator("anywhere", api, same, other) == {api: True, same: True, other: False}
    addresses = ",".join(f"{address}/32" for address in (endpoint, API_SERVICE_ADDRESS))
    upgrade(CHART, "--set", f"networkPolicy.apiServerCidrs={{{addresses}}}")
    assert _as_the_operator("there", api, same, other) == {api: True, same: False, other: False}


def _as_the_operator(name: str, *targets: str) -> dict[str, bool]:
    """What a pod reaches that the operator's NetworkPolicy takes for the operator."""
    pod = server_pod(name, DIAL + ALONE)
    pod["metadata"]["labels"] = {"app.kubernetes.io/name": "seatrial", "app.kubernetes.io/instance": RELEASE}
    pod["spec"]["containers"][0]["env"] = [{"name": "TARGETS", "value": " ".join(targets)}]
    kubectl("apply", "-n", OPERATOR_NAMESPACE, "-f", "-", stdin=json.dumps(pod))
    try:
        where = [f"pod/{name}", "-n", OPERATOR_NAMESPACE]
        kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", *where, "--timeout=60s")
        return dict(json.loads(kubectl("logs", *where)))
    finally:
        kubectl("delete", "pod", name, "-n", OPERATOR_NAMESPACE)


def test_the_operator_may_be_evicted(tenant: Tenant) -> None:
    """A drained node is not held up, and a run that goes on does not notice."""
    tenant.tests("slow", SLOW)
    tenant.run("slow")
    tenant.in_phase("slow", "Running")
    pod = items("pods", OPERATOR_NAMESPACE, "app.kubernetes.io/name=seatrial")[0]["metadata"]["name"]
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": OPERATOR_NAMESPACE},
    }
    path = f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/pods/{pod}/eviction"
    kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction))
    kubectl("wait", "--for=delete", f"pod/{pod}", "-n", OPERATOR_NAMESPACE, "--timeout=60s")
    kubectl("rollout", "status", "deployment/seatrial", "-n", OPERATOR_NAMESPACE, "--timeout=60s")
    expect(tenant, "slow", End("Passed", "AllTestsPassed", passed="24/24"))


def test_images_by_digest(tmp_path: Path, tenant: Tenant) -> None:
    """No tag decides what runs: neither for the operator nor for what it starts."""
    values = by_digest()
    path = tmp_path / "digests.yaml"
    path.write_text(yaml.safe_dump(values))
    upgrade(CHART, "--values", str(path))
    operator = items("pods", OPERATOR_NAMESPACE, "app.kubernetes.io/name=seatrial")[0]
    assert operator["spec"]["containers"][0]["image"] == values["images"]["agent"]
    tenant.tests("pinned", ONE)
    tenant.run("pinned", services={"redis": {}}, retention={"onSuccess": "10m"})
    run = expect(tenant, "pinned", PASSED)
    images = {
        container["image"]
        for pod in items("pods", run["status"]["namespace"])
        for container in (*pod["spec"]["containers"], *pod["spec"].get("initContainers", ()))
    }
    assert images
    assert [image for image in images if "@sha256:" not in image] == []
