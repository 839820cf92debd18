"""Where the figures come from: machine, versions, load."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.api import Api

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results"


async def facts(api: Api) -> dict[str, Any]:
    """For the head of a table of results."""
    node = (await api.items("/api/v1/nodes"))[0]["status"]["nodeInfo"]
    return {
        "processor": _processor(),
        "processors": os.cpu_count(),
        "memory GiB": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "kernel": platform.release(),
        "kubernetes": (await api.request("GET", "/version"))["gitVersion"],
        "containerRuntime": node["containerRuntimeVersion"],
        "seatrial": commit(),
        "python": platform.python_version(),
    }


def load_average() -> list[float]:
    """Of one, five and fifteen minutes."""
    return [round(value, 2) for value in os.getloadavg()]


def commit() -> str:
    """The checkout's commit, and whether there are changes on top of it that a build would take in."""
    head = _git("rev-parse", "--short=12", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", "operator", "images", "suites", "charts", "hack")
    return f"{head} with uncommitted changes" if changed else head


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(ROOT), *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
