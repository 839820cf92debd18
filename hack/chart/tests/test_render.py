"""The chart as Helm 4 lints and renders it."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from hack.chart.generate import CHART, ROOT
from hack.chart.manifest import INSTALL, NAMESPACE, images_of, manifest, render
from hack.cluster.build import build, module_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.external

Object = dict[str, Any]

DIGEST = "sha256:" + "0123456789abcdef" * 4
LOCAL = str(ROOT / "hack" / "install" / "values-local.yaml")
CLUSTER_WIDE = {
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "Namespace",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
}


@pytest.fixture(scope="module")
def helm() -> Path:
    return build((module_of("helm"),))["helm"]


def helm_says(helm: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run([str(helm), *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def of_kind(objects: list[Object], kind: str) -> list[Object]:
    return [item for item in objects if item["kind"] == kind]


@pytest.mark.parametrize("values", [[], ["--values", LOCAL]], ids=["default", "local"])
def test_lint(values: list[str], helm: Path) -> None:
    code, said = helm_says(helm, "lint", "--strict", str(CHART), *values)
    assert code == 0, said
    assert "0 chart(s) failed" in said


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("maxActiveRun=3", "maxActiveRun"),
        ("maxActiveRuns=0", "minimum"),
        ("maxActiveRuns=many", "/maxActiveRuns"),
        ("images.agent=UPPER:1", "/images/agent"),
        ("images.agent=repo@sha256:12", "/images/agent"),
        ("images.pullPolicy=Sometimes", "/images/pullPolicy"),
        ("catalogue.redis.versions.9=", "/catalogue/redis/versions/9"),
        ("catalogue.redis.image=redis:9", "image"),
        ("networkPolicy.apiServerPorts={70000}", "/networkPolicy/apiServerPorts/0"),
        ("networkPolicy.apiServerCidrs={api.example.com}", "/networkPolicy/apiServerCidrs/0"),
        ("crds.keep=maybe", "/crds/keep"),
        ("uninstall.timeoutSeconds=0", "/uninstall/timeoutSeconds"),
        ("serviceMonitor.interval=soon", "/serviceMonitor/interval"),
        ("quota.pods=lots", "/quota/pods"),
        ("maxActiveRunsPerNamespace=0", "/maxActiveRunsPerNamespace"),
        ("egress[0].cidr=10.0.0.0/8", "missing property ports"),
        ("egress[0].cidr=10.0.0.1,egress[0].ports[0].port=443", "/egress/0/cidr"),
        ("egress[0].cidr=10.0.0.0/8,egress[0].ports[0].port=0", "/egress/0/ports/0/port"),
        ("networkPolicies.required=maybe", "/networkPolicies/required"),
        ("account=kube-system:default", "account"),
        ("replicas=2", "replicas"),
    ],
)
def test_a_wrong_value_is_refused_and_named(value: str, message: str, helm: Path) -> None:
    code, said = helm_says(helm, "template", "seatrial", str(CHART), "--set", value)
    assert code != 0
    assert "values don't meet the specifications of the schema" in said
    assert message in said.replace("'", "")


def test_everything_has_its_place_and_our_labels(helm: Path) -> None:
    for item in render(helm, "--set", "serviceMonitor.enabled=true", "--set", "dashboard.enabled=true"):
        metadata = item["metadata"]
        if item["kind"] in CLUSTER_WIDE:
            assert "namespace" not in metadata
        else:
            assert metadata["namespace"] == NAMESPACE, metadata["name"]
        if item["kind"] != "CustomResourceDefinition":
            assert metadata["labels"]["app.kubernetes.io/name"] == "seatrial"


def test_the_definitions_are_those_that_are_generated(helm: Path) -> None:
    rendered = {item["metadata"]["name"]: item for item in of_kind(render(helm), "CustomResourceDefinition")}
    for path in (CHART / "files" / "crds").glob("*.yaml"):
        wanted = yaml.safe_load(path.read_text())
        definition = rendered.pop(wanted["metadata"]["name"])
        assert definition["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
        assert definition == wanted
    assert not rendered
    assert not of_kind(render(helm, "--set", "crds.enabled=false"), "CustomResourceDefinition")
    for item in of_kind(render(helm, "--set", "crds.keep=false"), "CustomResourceDefinition"):
        assert "annotations" not in item["metadata"]


def _named(objects: list[Object]) -> set[str]:
    return {f"{item['kind']}/{item['metadata']['name']}" for item in objects}


@pytest.mark.parametrize(
    ("switch", "kinds"),
    [
        ("networkPolicy.enabled", {"NetworkPolicy/seatrial"}),
        ("podDisruptionBudget.enabled", {"PodDisruptionBudget/seatrial"}),
        ("serviceMonitor.enabled", {"Service/seatrial-metrics", "ServiceMonitor/seatrial"}),
        ("dashboard.enabled", {"ConfigMap/seatrial-dashboard"}),
    ],
)
def test_what_can_be_switched(switch: str, kinds: set[str], helm: Path) -> None:
    on, off = (_named(render(helm, "--set", f"{switch}={value}")) for value in ("true", "false"))
    assert on - off == kinds
    assert off < on


def test_images_by_digest(helm: Path) -> None:
    agent, redis = f"registry.example.com/seatrial@{DIGEST}", f"registry.example.com/redis:8@{DIGEST}"
    values = ["--set", f"images.agent={agent}", "--set", f"catalogue.redis.versions.8={redis}"]
    objects = render(helm, *values)
    assert images_of(objects) == {agent}
    config_map = next(item for item in of_kind(objects, "ConfigMap") if item["metadata"]["name"] == "seatrial")
    config = yaml.safe_load(config_map["data"]["config.yaml"])
    assert config["images"]["agent"] == agent
    assert config["catalogue"]["redis"]["versions"]["8"] == redis


def test_what_an_administrator_expects_reaches_the_pods(helm: Path) -> None:
    values = [
        *("--set", "imagePullSecrets[0].name=registry", "--set", "nodeSelector.pool=tests"),
        *("--set", "priorityClassName=important", "--set", "tolerations[0].key=tests"),
        *("--set", "podLabels.team=platform", "--set", "podAnnotations.reviewed=yes"),
    ]
    command = [str(helm), "template", "seatrial", str(CHART), *values]
    rendered = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    pods = {
        item["kind"]: item["spec"]["template"]
        for item in yaml.safe_load_all(rendered)
        if item["kind"] in {"Deployment", "Job"}
    }
    assert set(pods) == {"Deployment", "Job"}
    for pod in pods.values():
        assert pod["spec"]["imagePullSecrets"] == [{"name": "registry"}]
        assert pod["spec"]["nodeSelector"] == {"pool": "tests"}
        assert pod["spec"]["tolerations"] == [{"key": "tests"}]
        assert pod["spec"]["priorityClassName"] == "important"
    assert pods["Deployment"]["metadata"]["labels"]["team"] == "platform"
    assert pods["Deployment"]["metadata"]["annotations"]["reviewed"] == "yes"


def test_what_ends_runs_before_an_uninstallation_may_do_that_and_no_more(helm: Path) -> None:
    hooks = hooks_of(helm)
    rules = {item["kind"]: item["rules"] for item in hooks if item["kind"] in {"ClusterRole", "Role"}}
    assert rules == {
        "ClusterRole": [{"apiGroups": ["seatrial.dev"], "resources": ["testruns"], "verbs": ["list", "patch"]}],
        "Role": [
            {
                "apiGroups": ["apps"],
                "resources": ["deployments/scale"],
                "resourceNames": ["seatrial"],
                "verbs": ["patch"],
            },
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
        ],
    }
    for item in hooks:
        policy = item["metadata"]["annotations"]["helm.sh/hook-delete-policy"]
        assert policy == "before-hook-creation,hook-succeeded", "Helm 4 deletes the ones before a hook that fails"
    assert hooks_of(helm, "--set", "uninstall.endRuns=false") == []


def hooks_of(helm: Path, *values: str) -> list[Object]:
    """The hooks of the chart."""
    command = [str(helm), "template", "seatrial", str(CHART), *values]
    rendered = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    objects = [item for item in yaml.safe_load_all(rendered) if item]
    return [item for item in objects if "helm.sh/hook" in (item["metadata"].get("annotations") or {})]


def test_nobody_is_asked_about_a_write_that_changes_no_label(helm: Path) -> None:
    """Kubelets and controllers write many times a second: the authorizer's answer is the last resort."""
    policies = of_kind(render(helm), "ValidatingAdmissionPolicy")
    reserved = next(item["spec"] for item in policies if item["metadata"]["name"] == "seatrial-reserved")
    texts = [item["expression"].strip() for item in reserved["validations"]]
    assert len(texts) == 4
    for text in texts:
        assert text.endswith("|| variables.mayOperate")
        assert text.count("mayOperate") == 1
    assert "authorizer" not in json.dumps(reserved["matchConditions"])


def test_where_the_api_server_may_be(helm: Path) -> None:
    anywhere = of_kind(render(helm), "NetworkPolicy")[0]["spec"]["egress"][0]
    assert "to" not in anywhere
    there = of_kind(render(helm, "--set", "networkPolicy.apiServerCidrs={10.0.0.1/32,fd00::/8}"), "NetworkPolicy")[0]
    blocks = [{"ipBlock": {"cidr": cidr}} for cidr in ("10.0.0.1/32", "fd00::/8")]
    assert there["spec"]["egress"][0] == {**anywhere, "to": blocks}


def test_one_operator_and_never_two(helm: Path) -> None:
    deployment = of_kind(render(helm), "Deployment")[0]
    assert (deployment["spec"]["replicas"], deployment["spec"]["strategy"]) == (1, {"type": "Recreate"})


def test_install_yaml_is_the_chart_without_helm(helm: Path) -> None:
    text = INSTALL.read_text()
    assert text == manifest(helm), "run `make chart`"
    assert "helm" not in text.lower().partition("---")[2]
    objects = list(yaml.safe_load_all(text))
    assert objects[0]["kind"] == "Namespace"
    assert {item["kind"] for item in objects[1:]} == {item["kind"] for item in render(helm)}
    assert not of_kind(objects, "Job"), "a hook is no part of an installation"
