"""The release of the chart, through Helm."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from typing import TYPE_CHECKING

from .kubectl import OPERATOR_NAMESPACE, ROOT, cluster

if TYPE_CHECKING:
    from pathlib import Path

CHART = ROOT / "charts" / "seatrial"
LOCAL_VALUES = ROOT / "hack" / "install" / "values-local.yaml"
RELEASE = "seatrial"


@cache
def helm_path() -> str:
    return cluster("path", "helm").strip()


def helm(*arguments: str, check: bool = True, seconds: float = 300) -> str:
    """Run Helm on the operator's namespace; its output. A failure shows what Helm said."""
    environment = {"KUBECONFIG": str(ROOT / ".cluster" / "kubeconfig"), **os.environ}
    command = [helm_path(), *arguments, "--namespace", OPERATOR_NAMESPACE]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=seconds)
    if check and done.returncode != 0:
        raise AssertionError(f"helm {' '.join(arguments)} failed ({done.returncode}): {done.stderr or done.stdout}")
    return done.stdout + ("" if done.returncode == 0 else done.stderr)


def upgrade(chart: Path = CHART, *arguments: str) -> str:
    """Install or upgrade the release with the values of a local cluster, and wait for it.

    Other tests have patched what the chart makes, and put it back: it is theirs no more (TAKE_BACK in the Makefile).
    """
    take_back = () if os.environ.get("CLUSTER") == "kind" else ("--force-conflicts",)
    return helm(
        *("upgrade", "--install", RELEASE, str(chart), "--values", str(LOCAL_VALUES)),
        *("--wait", "--timeout", "2m", *take_back, *arguments),
    )
