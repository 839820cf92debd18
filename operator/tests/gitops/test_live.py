"""Flux, Argo CD and Helm at work on a cluster: what they wait for, how they end, and that nothing ever drifts."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.e2e.kubectl import ROOT, cluster, items, kubectl, kubectl_path

from .judges import EXAMPLES, has_drifted, judge, reconcile, sync
from .scenarios import FAILS, NO_IMAGE, PASSES, run_all, watching
from .test_recorded import GOES_ON, HAS_NOT_PASSED, HAS_PASSED

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.kubectl import Tenant

pytestmark = [pytest.mark.external, pytest.mark.e2e]

Object = dict[str, Any]

SUSPENDED = ("InProgress", "InProgress", "Suspended")
ENDS = {"passed": HAS_PASSED, "failed": HAS_NOT_PASSED, "error": HAS_NOT_PASSED, "cancelled": HAS_NOT_PASSED}


def manifest(name: str, tests: str = "", **spec: Any) -> Object:
    suites = [{"name": "it", "testsFrom": {"configMapRef": {"name": tests or name}}}]
    spec = {"suites": suites, "retention": {"onFailure": "0s"}, **spec}
    return {"apiVersion": "seatrial.dev/v1alpha1", "kind": "TestRun", "metadata": {"name": name}, "spec": spec}


def config_map(name: str, source: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"test_it.py": source}}


def example(name: str) -> list[Object]:
    return list(yaml.safe_load_all((EXAMPLES / name).read_text()))


class TestEveryMoment:
    def test_from_creation_to_verdict_no_tool_is_ever_wrong(self, tenant: Tenant) -> None:
        """Every state that the API server has shown, not only those that somebody chose to record."""
        with watching(tenant) as watch:
            run_all(tenant)
            states = {name: watch.states(name) for name in (*ENDS, "suspended")}
        for name, seen in states.items():
            words = [judgement.words for judgement in judge(seen)]
            over = [state["status"].get("phase") in {"Passed", "Failed", "Error", "Cancelled"} for state in seen]
            assert len(words) > 1
            for word, state, ended in zip(words, seen, over, strict=True):
                assert word in ({ENDS[name]} if ended else {GOES_ON, SUSPENDED}), (name, state["status"])
            assert any(over) == (name in ENDS)
            assert (SUSPENDED in words) == (name == "suspended")


class TestFlux:
    def test_ready_when_the_tests_have_passed(self, tenant: Tenant) -> None:
        said = reconcile([config_map("good", PASSES), manifest("good")], tenant.namespace)
        assert said["ready"], said["message"]
        assert set(said["changes"].values()) == {"created"}
        assert tenant.get("good")["status"]["phase"] == "Passed"

    def test_applying_it_again_changes_nothing(self, tenant: Tenant) -> None:
        manifests = [config_map("good", PASSES), manifest("good", services={"redis": {}})]
        reconcile(manifests, tenant.namespace)
        before = tenant.cleaned("good")["metadata"]
        said = reconcile(manifests, tenant.namespace)
        assert set(said["changes"].values()) == {"unchanged"}
        assert said["ready"]
        assert tenant.get("good")["metadata"] == before

    @pytest.mark.parametrize(
        ("source", "suites", "reason"),
        [(FAILS, None, "TestsFailed"), (PASSES, NO_IMAGE, "ImagePullFailed")],
        ids=["failed", "error"],
    )
    def test_fails_at_once_when_they_have_not(
        self, source: str, suites: list[Object] | None, reason: str, tenant: Tenant
    ) -> None:
        spec = {"suites": suites} if suites else {}
        said = reconcile([config_map("bad", source), manifest("bad", **spec)], tenant.namespace)
        assert not said["ready"]
        assert "TestRun" in said["message"]
        assert "'Failed'" in said["message"]
        assert tenant.get("bad")["status"]["reason"] == reason

    def test_a_changed_spec_is_a_new_run(self, tenant: Tenant) -> None:
        """With `force`, what cannot change is created anew."""
        reconcile([config_map("tests", PASSES), manifest("again", "tests")], tenant.namespace)
        first = tenant.get("again")
        said = reconcile([config_map("tests", PASSES), manifest("again", "tests", parallelism=2)], tenant.namespace)
        assert said["ready"], said["message"]
        again = tenant.get("again")
        assert again["metadata"]["uid"] != first["metadata"]["uid"]
        assert (again["spec"]["parallelism"], again["status"]["phase"]) == (2, "Passed")


class TestArgoCD:
    def test_a_hook_that_passes_makes_the_sync_succeed(self, tenant: Tenant) -> None:
        fared = sync(example("argocd-hook.yaml"), tenant.namespace)
        assert (fared["orders-gate"]["Hook"], fared["orders-gate"]["Phase"]) == ("PostSync", "Succeeded")
        assert fared["orders-smoke"]["Status"] == "Synced"
        assert tenant.get("orders-gate")["status"]["phase"] == "Passed"

    def test_a_hook_that_fails_makes_it_fail_with_the_message(self, tenant: Tenant) -> None:
        gate, tests = example("argocd-hook.yaml")
        tests["data"] = {"test_orders.py": FAILS}
        fared = sync([gate, tests], tenant.namespace)["orders-gate"]
        assert fared["Phase"] == "Failed"
        assert tenant.get("orders-gate")["status"]["message"] in fared["Message"]

    def test_each_sync_is_a_new_run(self, tenant: Tenant) -> None:
        gate, tests = example("argocd-hook.yaml")
        sync([gate, tests], tenant.namespace)
        first = tenant.get("orders-gate")["metadata"]["uid"]
        tests["data"]["test_orders.py"] += "\n\ndef test_more(): pass\n"
        fared = sync([gate, tests], tenant.namespace)["orders-gate"]
        assert fared["Phase"] == "Succeeded"
        run = tenant.get("orders-gate")
        assert run["metadata"]["uid"] != first
        assert run["status"]["passed"] == "2/2"

    @pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda path: path.stem)
    def test_nothing_is_ever_out_of_sync(self, path: Path, tenant: Tenant) -> None:
        """The defaults are in the schema, the operator writes status and a finalizer: no difference that counts."""
        documents = list(yaml.safe_load_all(path.read_text()))
        for item in documents:
            if item["kind"] == "TestRun":
                item["spec"]["cancel"] = True  # it is about the object, not about the run
        tenant.apply(*documents)
        for item in documents:
            if item["kind"] == "TestRun":
                live = tenant.finished(item["metadata"]["name"])
                wanted = copy.deepcopy(item)
                wanted["metadata"]["namespace"] = tenant.namespace
                assert not has_drifted(wanted, live)
                wanted["spec"]["retention"] = {"onSuccess": "1h", "onFailure": "1h"}
                assert has_drifted(wanted, live), "a difference that is one is not seen"


class TestKubectl:
    @pytest.mark.parametrize("server_side", [False, True], ids=["client-side", "server-side"])
    @pytest.mark.parametrize("when", ["going", "over"])
    def test_applying_the_same_again_is_a_no_op(self, when: str, tenant: Tenant, *, server_side: bool) -> None:
        flags = ["--server-side"] if server_side else []
        text = yaml.safe_dump(manifest("same", services={"redis": {}}, suspend=when == "going"))
        tenant.tests("same", PASSES)
        kubectl("apply", *flags, "-n", tenant.namespace, "-f", "-", stdin=text)
        if when == "over":
            tenant.finished("same")
            tenant.cleaned("same")
        else:
            tenant.in_phase("same", "Pending")
        before = tenant.get("same")
        kubectl("apply", *flags, "-n", tenant.namespace, "-f", "-", stdin=text)
        kubectl("diff", *flags, "-n", tenant.namespace, "-f", "-", stdin=text)  # ends with 1 on any difference
        assert tenant.get("same") == before

    def test_a_run_that_is_over_stays(self, tenant: Tenant) -> None:
        """A declared object that deletes itself is created again, for ever: only the environment goes."""
        tenant.tests("stays", PASSES)
        tenant.run("stays", services={"redis": {}})
        tenant.finished("stays")
        run = tenant.cleaned("stays")
        assert "deletionTimestamp" not in run["metadata"]
        assert run["metadata"].get("ownerReferences") is None
        assert run["status"]["phase"] == "Passed"


CHART = {"Chart.yaml": "apiVersion: v2\nname: orders\nversion: 1.0.0\n"}


class TestHelm:
    @pytest.mark.parametrize(("source", "works"), [(PASSES, True), (FAILS, False)], ids=["passes", "fails"])
    def test_wait_waits_for_the_verdict(self, source: str, tmp_path: Path, tenant: Tenant, *, works: bool) -> None:
        """A TestRun that is part of a release."""
        templates = tmp_path / "templates"
        templates.mkdir()
        (tmp_path / "Chart.yaml").write_text(CHART["Chart.yaml"])
        documents = [config_map("gate", source), manifest("gate")]
        (templates / "gate.yaml").write_text(yaml.safe_dump_all(documents))
        command = [
            cluster("path", "helm").strip(),
            *("install", "orders", str(tmp_path), "-n", tenant.namespace, "--wait", "--timeout", "2m"),
        ]
        environment = {"KUBECONFIG": str(ROOT / ".cluster" / "kubeconfig"), **os.environ}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=180)
        assert (done.returncode == 0) == works, done.stderr
        assert tenant.get("gate")["status"]["phase"] == ("Passed" if works else "Failed")
        if not works:
            assert "TestRun" in done.stderr
            assert "deadline exceeded" not in done.stderr


IMAGE = 'image: "{{args.image}}"'


def job_of(template: Object, name: str, image: str, tests: str = "") -> Object:
    """The Job that Argo Rollouts creates, arguments filled in. With `tests` the suite is a ConfigMap."""
    text = json.dumps(template["spec"]["metrics"][0]["provider"]["job"]["spec"])
    if tests:
        suite = json.dumps(IMAGE)[1:-1]
        assert suite in text
        text = text.replace(suite, f"testsFrom: {{configMapRef: {{name: {tests}}}}}")
    text = text.replace("{{args.image}}", image)
    text = text.replace("ghcr.io/seatrial/seatrial:0.1.0", "localhost/seatrial/seatrial:dev")
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": json.loads(text)}


def test_the_job_of_argo_rollouts_ends_as_the_run_does(tenant: Tenant) -> None:
    """With the rights of the example, and to read what the runs name; under Pod Security's level `restricted`."""
    template, *rights = example("argo-rollouts.yaml")
    role = next(item for item in rights if item["kind"] == "Role")
    role["rules"].append({"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]})
    kubectl("label", "namespace", tenant.namespace, "pod-security.kubernetes.io/enforce=restricted")
    tenant.apply(*rights, config_map("good", PASSES), config_map("bad", FAILS))
    nowhere = "localhost/seatrial/not-there:1"
    jobs = {
        "passes": (job_of(template, "passes", "", "good"), "Complete", "Passed, 1 passed in "),
        "fails": (job_of(template, "fails", "", "bad"), "Failed", "Failed, 1 passed, 1 failed in "),
        "no-image": (job_of(template, "no-image", nowhere), "Failed", nowhere),
    }
    tenant.apply(*(job for job, _, _ in jobs.values()))
    for name, (_, end, said) in jobs.items():
        kubectl("wait", f"--for=condition={end}", f"job/{name}", "-n", tenant.namespace, "--timeout=120s", seconds=150)
        log = kubectl("logs", f"job/{name}", "-n", tenant.namespace)
        assert said in log.splitlines()[-1], log
    assert len(items("testruns", tenant.namespace)) == len(jobs)


def script_of_the_docs() -> str:
    """The gate of docs/gitops.md."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / "gitops.md").read_text(), re.DOTALL)
    return str(next(block for block in blocks if "test " in block))


@pytest.mark.parametrize(("source", "code", "last"), [(PASSES, 0, "Passed: "), (FAILS, 1, "Failed: suite it: 1 of 2 ")])
def test_the_script_of_the_docs_is_a_gate(source: str, code: int, last: str, tmp_path: Path, tenant: Tenant) -> None:
    (tmp_path / "kubectl").symlink_to(kubectl_path())
    environment = {
        "KUBECONFIG": str(ROOT / ".cluster" / "kubeconfig"),
        **os.environ,
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
    }
    tenant.tests("orders", source)
    tenant.run("orders")
    script = script_of_the_docs().replace("kubectl ", f"kubectl -n {tenant.namespace} ")
    done = subprocess.run(
        ["bash", "-ec", script], capture_output=True, text=True, env=environment, check=False, timeout=120
    )
    assert done.returncode == code, done.stderr
    assert done.stdout.splitlines()[-1].startswith(last), done.stdout
