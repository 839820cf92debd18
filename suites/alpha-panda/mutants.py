"""Does the suite notice? Runs it once for each deliberate bug of the services, and fails unless every run does.

    python suites/alpha-panda/mutants.py [BUG...]

Each run is `seatrial run` of the example with ALPHA_PANDA_BUG set, and of those tests that must fail. Exit status 1: a
bug went unnoticed, or a run did not come to a verdict.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import yaml

from alpha_panda.mutations import VARIABLE, Bug

ROOT: Final = Path(__file__).resolve().parents[2]
EXAMPLE: Final = ROOT / "examples/alpha-panda.yaml"
DEADLINE_SECONDS: Final = 5
RUN_SECONDS: Final = 300

NOTICED_BY: Final = {
    Bug.LOST_CAUSATION: ("test_complete_event_flow_paper_trading", "test_event_chain_correlation"),
    Bug.MIXED_BROKERS: ("test_portfolio_cache_integration", "test_dual_broker_event_segregation"),
    Bug.NO_DEDUPLICATION: ("test_event_deduplication_and_ordering", "test_event_that_comes_twice_is_handled_once"),
    Bug.EARLY_COMMIT: ("test_nothing_is_committed_before_it_is_durable",),
    Bug.SWALLOWED_POISON: ("test_poison_does_not_hold_up_what_follows", "test_error_handling_and_dlq_routing"),
    Bug.UNKEYED: ("test_producer_insists_on_a_key", "test_complete_event_flow_paper_trading"),
    Bug.REFUSED_HISTORY: ("test_ticks_of_the_first_version_are_traded", "test_every_member_finds_its_place"),
}
"""Every one of these tests must fail, in the services' process and in the suite's."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bugs", nargs="*", choices=[[], *map(str, Bug)], help="all when none is named")
    chosen = [Bug(name) for name in parser.parse_args().bugs] or list(Bug)
    unnoticed = [bug for bug in chosen if not noticed(bug)]
    print(f"{len(chosen) - len(unnoticed)} of {len(chosen)} bugs were noticed")
    sys.exit(1 if unnoticed else 0)


def noticed(bug: Bug) -> bool:
    """Whether every test that must fail did."""
    status = run(manifest(bug))
    failed = {failure["id"].rpartition("::")[2].partition("[")[0] for failure in status.get("failures", [])}
    missed = set(NOTICED_BY[bug]) - failed
    verdict = f"missed by {', '.join(sorted(missed))} ({status['phase']}: {status['message']})" if missed else "noticed"
    print(f"{bug}: {verdict}", flush=True)
    return not missed


def manifest(bug: Bug) -> dict[str, Any]:
    """The example with the bug, and with the tests that must notice it."""
    run: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text())
    variable = {"name": VARIABLE, "value": str(bug)}
    for application in run["spec"]["applications"]:
        application["env"].append(variable)
    (suite,) = [suite for suite in run["spec"]["suites"] if suite["name"] == "integration"]
    suite["pytest"] = {"paths": ["/tests/integration", "/tests/e2e"], "keyword": " or ".join(NOTICED_BY[bug])}
    suite["env"] = [variable, {"name": "SUITE_DEADLINE_SECONDS", "value": str(DEADLINE_SECONDS)}]
    run["spec"]["suites"] = [suite]
    run["metadata"]["name"] = f"alpha-panda-{bug}"
    return run


def run(document: dict[str, Any]) -> dict[str, Any]:
    """The status of a local run."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "run.yaml")
        file.write_text(yaml.safe_dump(document))
        command = (sys.executable, "-m", "seatrial.cli", "run", str(file), "-o", "json")
        # From here, seatrial.toml is found.
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
    if not done.stdout:
        sys.exit(f"{document['metadata']['name']}: no verdict\n{done.stderr}")
    status: dict[str, Any] = json.loads(done.stdout)["status"]
    return status


if __name__ == "__main__":
    main()
