"""The cluster as its users see it: through kubectl."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[3]
OPERATOR_NAMESPACE = "seatrial-system"

Object = dict[str, Any]


@cache
def kubectl_path() -> str:
    return cluster("path", "kubectl").strip()


def cluster(*arguments: str) -> str:
    """Run `python -m hack.cluster`; its standard output."""
    command = [sys.executable, "-m", "hack.cluster", *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def kubectl(*arguments: str, stdin: str | None = None, check: bool = True, seconds: float = 120) -> str:
    """Run kubectl; its standard output. A failure shows what kubectl said."""
    environment = {"KUBECONFIG": str(ROOT / ".cluster" / "kubeconfig"), **os.environ}
    done = subprocess.run(
        [kubectl_path(), *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=seconds,
        env=environment,
        check=False,
    )
    if check and done.returncode != 0:
        raise AssertionError(f"kubectl {' '.join(arguments)} failed ({done.returncode}): {done.stderr or done.stdout}")
    return done.stdout if done.returncode == 0 else done.stdout + done.stderr


def get(kind: str, name: str, namespace: str | None = None) -> Object | None:
    """An object, or None if there is none."""
    where = ["-n", namespace] if namespace else []
    text = kubectl("get", kind, name, *where, "-o", "json", "--ignore-not-found")
    return dict(json.loads(text)) if text.strip() else None


def items(kind: str, namespace: str | None = None, selector: str = "") -> list[Object]:
    where = ["-n", namespace] if namespace else ["-A"]
    return list(json.loads(kubectl("get", kind, *where, "-l", selector, "-o", "json"))["items"])


def eventually(what: str, probe: Callable[[], Any], seconds: float = 60) -> Any:
    """The first true answer of `probe`; fails with what it last said."""
    deadline = time.monotonic() + seconds
    answer = None
    while time.monotonic() < deadline:
        answer = probe()
        if answer:
            return answer
        time.sleep(0.2)  # the pause between two looks, not a wait for something to have happened
    raise AssertionError(f"{what}: not so after {seconds:g} s; last seen: {answer!r}")


def condition(run: Object, kind: str) -> Object:
    """A condition of a TestRun; one that says nothing when it is not there."""
    found = [item for item in run.get("status", {}).get("conditions", []) if item["type"] == kind]
    return found[0] if found else {"type": kind, "status": "Unknown", "reason": "", "message": ""}


class Tenant:
    """A namespace of somebody who writes TestRuns."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace

    def apply(self, *documents: Object) -> None:
        text = yaml.safe_dump_all(documents)
        kubectl("apply", "-n", self.namespace, "-f", "-", stdin=text)

    def config_map(self, name: str, **files: str) -> None:
        """A ConfigMap; the last underscore of each keyword stands for the dot of a file's name."""
        data = {".".join(file.rsplit("_", 1)): text for file, text in files.items()}
        self.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})

    def tests(self, name: str, source: str) -> None:
        """A ConfigMap with one test file."""
        self.config_map(name, test_it_py=source)

    def run(self, name: str, **spec: Any) -> None:
        """Create a TestRun. Without suites it runs the ConfigMap of its own name."""
        spec.setdefault("suites", [{"name": "it", "testsFrom": {"configMapRef": {"name": name}}}])
        spec.setdefault("retention", {"onFailure": "0s"})
        self.apply({"apiVersion": "seatrial.dev/v1alpha1", "kind": "TestRun", "metadata": {"name": name}, "spec": spec})

    def get(self, name: str) -> Object:
        run = get("testrun", name, self.namespace)
        assert run is not None, f"TestRun {self.namespace}/{name} does not exist"
        return run

    def patch(self, name: str, **spec: Any) -> None:
        patch = json.dumps({"spec": spec})
        kubectl("patch", "testrun", name, "-n", self.namespace, "--type=merge", "-p", patch)

    def delete(self, name: str, *, wait: bool = True) -> None:
        """Delete a TestRun, which must not wait for its environment to be gone."""
        kubectl("delete", "testrun", name, "-n", self.namespace, f"--wait={str(wait).lower()}", "--timeout=30s")

    def finished(self, name: str, seconds: float = 120) -> Object:
        """The TestRun once it is over."""
        return self._wait(name, "condition=Finished", seconds)

    def cleaned(self, name: str, seconds: float = 60) -> Object:
        """The TestRun once its environment is gone."""
        return self._wait(name, "condition=EnvironmentCleaned", seconds)

    def in_phase(self, name: str, phase: str, seconds: float = 60) -> Object:
        return self._wait(name, f"jsonpath={{.status.phase}}={phase}", seconds)

    def _wait(self, name: str, what: str, seconds: float) -> Object:
        try:
            kubectl(
                "wait", f"--for={what}", f"testrun/{name}", "-n", self.namespace, f"--timeout={seconds:g}s",
                seconds=seconds + 30,
            )  # fmt: skip
        except AssertionError as error:
            status = yaml.safe_dump(self.get(name).get("status"))
            raise AssertionError(f"{error}\n{status}\n{operator_log()}") from None
        return self.get(name)

    def slices(self, name: str) -> list[Object]:
        found = [item["spec"] for item in items("testresultslices", self.namespace)]
        return sorted(
            (item for item in found if item["run"] == name),
            key=lambda item: (item["suite"], item["shard"], item["firstSequence"]),
        )


def operator_pod() -> tuple[str, int]:
    """Uid of the operator's pod, and how often its container was restarted."""
    pods = [
        pod
        for pod in items("pods", OPERATOR_NAMESPACE, "app.kubernetes.io/name=seatrial")
        if "deletionTimestamp" not in pod["metadata"]
    ]
    assert len(pods) == 1, [pod["metadata"]["name"] for pod in pods]
    statuses = pods[0]["status"].get("containerStatuses", [])
    return pods[0]["metadata"]["uid"], sum(status["restartCount"] for status in statuses)


def operator_log() -> str:
    return kubectl("logs", "-n", OPERATOR_NAMESPACE, "deployment/seatrial", "--tail=40", check=False)
