"""`python suites/kraken/mutations.py`: does the suite go red for each deliberate bug of the service?

Runs examples/kraken.yaml once for each KRAKEN_BUG, on this machine, and once without. Exit status 1 if a bug stays
unnoticed or the service without a bug does not pass. Names as arguments: only these.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from kraken.bugs import Bug

ROOT = Path(__file__).parents[2]
MANIFEST = ROOT / "examples" / "kraken.yaml"
SECONDS = 600


def with_bug(bug: Bug) -> str:
    """The manifest, with the bug switched on."""
    documents: list[dict[str, Any]] = [item for item in yaml.safe_load_all(MANIFEST.read_text()) if item]
    for document in documents:
        if document["kind"] == "TestRun":
            service = next(item for item in document["spec"]["applications"] if item["name"] == "kraken")
            service["env"].append({"name": "KRAKEN_BUG", "value": bug.value})
    return yaml.safe_dump_all(documents)


def run(bug: Bug) -> tuple[str, list[str]]:
    """The phase of a run, and which tests failed."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(with_bug(bug))
        file.flush()
        command = [sys.executable, "-m", "seatrial.cli", "run", file.name, "-o", "json"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
    if not done.stdout:
        return f"no result: {done.stderr[-500:]}", []
    status = json.loads(done.stdout)["status"]
    return status["phase"], [failure["id"] for failure in status.get("failures", ())]


def main() -> int:
    wanted = [Bug(name) for name in sys.argv[1:]] or list(Bug)
    unnoticed = 0
    for bug in wanted:
        phase, failed = run(bug)
        as_expected = phase == ("Passed" if bug is Bug.NONE else "Failed")
        unnoticed += not as_expected
        print(f"{'ok' if as_expected else 'WRONG':6}{bug.value or '(no bug)':24}{phase:10}{len(failed)} failed")
        for test in failed[:3]:
            print(f"{'':30}{test}")
        sys.stdout.flush()
    return 1 if unnoticed else 0


if __name__ == "__main__":
    sys.exit(main())
