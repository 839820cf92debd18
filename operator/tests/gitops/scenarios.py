"""TestRuns that between them go through every phase, and a watch that misses none of their states."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.e2e.kubectl import ROOT, eventually, kubectl_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.kubectl import Tenant

Object = dict[str, Any]

PASSES = "def test_one(): pass\n"
FAILS = "def test_one(): pass\ndef test_two(): assert 1 == 2\n"
HANGS = "import threading\ndef test_one(): pass\ndef test_two(): threading.Event().wait()\n"
SERVICES = {"redis": {}}
NO_IMAGE = [{"name": "it", "image": "localhost/seatrial/not-there:1"}]


class Watch:
    """Every state of a namespace's TestRuns, in their order."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def states(self, name: str = "") -> list[Object]:
        """What has been seen so far of one run, or of all."""
        decoder, text, found = json.JSONDecoder(), self._path.read_text(), []
        while text := text.lstrip():
            try:
                event, end = decoder.raw_decode(text)
            except json.JSONDecodeError:  # its end is not written yet
                break
            text = text[end:]
            item = event["object"]
            item["metadata"].pop("managedFields", None)
            if event["type"] != "DELETED" and name in {"", item["metadata"]["name"]}:
                found.append(item)
        return found

    def phases(self, name: str) -> list[str]:
        return [item.get("status", {}).get("phase", "") for item in self.states(name)]


@contextmanager
def watching(tenant: Tenant) -> Iterator[Watch]:
    """Watch while the body runs."""
    environment = {"KUBECONFIG": str(ROOT / ".cluster" / "kubeconfig"), **os.environ}
    command = [kubectl_path(), "get", "testruns", "-n", tenant.namespace, "-w", "-o", "json", "--output-watch-events"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.json"
        with path.open("w") as sink, subprocess.Popen(command, stdout=sink, env=environment) as process:
            watch = Watch(path)
            try:
                tenant.run("first", suspend=True)
                eventually("the watch has begun", lambda: watch.states("first"))
                tenant.delete("first")
                yield watch
            finally:
                process.terminate()


def run_all(tenant: Tenant) -> None:
    """Every phase but Queued, which takes an operator with few slots."""
    for name, source in {"passed": PASSES, "failed": FAILS, "cancelled": HANGS}.items():
        tenant.tests(name, source)
    tenant.run("suspended", suspend=True, suites=NO_IMAGE)
    tenant.run("error", suites=NO_IMAGE)
    for name in ("passed", "failed", "cancelled"):
        tenant.run(name, services=SERVICES)
    tenant.in_phase("cancelled", "Running")
    eventually("a result is in", lambda: tenant.get("cancelled")["status"]["summary"]["passed"])
    tenant.patch("cancelled", cancel=True)
    for name in ("passed", "failed", "cancelled", "error"):
        tenant.finished(name)
    tenant.in_phase("suspended", "Pending")
