"""kubectl for the tests, and waiting with a deadline."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")
WAIT_SECONDS = 60
POLL_SECONDS = 0.1
PROBE_IMAGE = "localhost/cluster-probe:1"
RESTRICTED: dict[str, Any] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def wait_for(what: str, attempt: Callable[[], T | None], seconds: float = WAIT_SECONDS) -> T:
    """The first result of `attempt` that is not None."""
    deadline = time.monotonic() + seconds
    while (result := attempt()) is None:
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(POLL_SECONDS)
    return result


@dataclass(frozen=True)
class Kubectl:
    """Runs kubectl against one cluster, in one namespace."""

    program: Path
    kubeconfig: Path
    namespace: str = "default"

    def command(self, *arguments: str) -> list[str]:
        return [str(self.program), f"--kubeconfig={self.kubeconfig}", f"--namespace={self.namespace}", *arguments]

    def run(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments), input=stdin, capture_output=True, text=True, check=False, timeout=WAIT_SECONDS
        )

    def ok(self, *arguments: str, stdin: str | None = None) -> str:
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def apply(self, *objects: dict[str, Any]) -> None:
        self.ok("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))

    def get(self, *arguments: str) -> Any:
        return json.loads(self.ok("get", *arguments, "-o", "json"))

    def wait_phase(self, pod: str, *phases: str) -> dict[str, Any]:
        def attempt() -> dict[str, Any] | None:
            found: dict[str, Any] = self.get("pod", pod)
            return found if found["status"].get("phase") in phases else None

        return wait_for(f"pod {self.namespace}/{pod} in phase {' or '.join(phases)}", attempt)

    def dial(self, pod: str, targets: list[str]) -> dict[str, bool]:
        """Which `protocol:host:port` can be reached from inside a pod."""
        reached: dict[str, bool] = json.loads(self.ok("exec", pod, "--", "/probe", "dial", *targets))
        return reached


def pod(name: str, *arguments: str, ports: dict[str, int] | None = None, **spec: Any) -> dict[str, Any]:
    """A pod that runs the probe and satisfies the restricted Pod Security Standard."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 1,
            "restartPolicy": "Never",
            "containers": [container("probe", *arguments, ports=ports)],
            **spec,
        },
    }


def container(name: str, *arguments: str, ports: dict[str, int] | None = None, **more: Any) -> dict[str, Any]:
    """A container of the probe."""
    return {
        "name": name,
        "image": PROBE_IMAGE,
        "imagePullPolicy": "Never",
        "args": list(arguments),
        "securityContext": RESTRICTED,
        "ports": [{"name": key, "containerPort": value} for key, value in (ports or {}).items()],
        **more,
    }


def service(name: str, port: int, target: int) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": port, "targetPort": target}]},
    }


def policy(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name},
        "spec": {"podSelector": {}} | spec,
    }
