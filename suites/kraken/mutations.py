"""`python suites/kraken/mutations.py`: does the suite go red for each deliberate bug of the service?

Runs examples/kraken.yaml on this machine: once as it is, and once for each KRAKEN_BUG with the test that is to notice
it. Exit status 1 if a bug stays unnoticed, or if the service without a bug does not pass. Arguments: only these bugs.
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
PRODUCTION, SAFETY, SURVIVAL = (
    f"/tests/test_{name}.py" for name in ("phase7_production_integration", "safety", "survival")
)
NOTICED_BY = {
    Bug.BLIND_RESEND: (SAFETY, "test_an_order_that_was_carried_out_is_found"),
    Bug.FORGET_FEES: (PRODUCTION, "test_fee_calculation"),
    Bug.BOOK_ORDERED: (PRODUCTION, "test_partial_fill_handling"),
    Bug.DOUBLE_BOOKING: (SURVIVAL, "test_what_is_open_is_still_tracked"),
    Bug.NO_DAILY_LIMIT: (PRODUCTION, "test_daily_trade_count_limits"),
    Bug.BREAKER_STAYS_CLOSED: (PRODUCTION, "test_circuit_breaker_activation"),
    Bug.CONSTANT_BACKOFF: (PRODUCTION, "test_rate_limit_handling or test_connection_retry_logic"),
    Bug.STALE_AS_FRESH: (PRODUCTION, "test_graceful_degradation"),
    Bug.FORGET_HALT: (SURVIVAL, "test_a_halt_and_tightened_limits_outlive_the_process"),
    Bug.NO_TAKE_PROFIT: (SAFETY, "test_take_profit_sells_what_was_bought"),
}


def with_bug(bug: Bug) -> str:
    """The manifest, with the bug switched on."""
    documents: list[dict[str, Any]] = [item for item in yaml.safe_load_all(MANIFEST.read_text()) if item]
    for document in documents:
        if document["kind"] == "TestRun":
            service = next(item for item in document["spec"]["applications"] if item["name"] == "kraken")
            service["env"].append({"name": "KRAKEN_BUG", "value": bug.value})
            if bug in NOTICED_BY:
                path, keyword = NOTICED_BY[bug]
                suite = document["spec"]["suites"][0]
                document["spec"]["suites"] = [suite | {"pytest": {"paths": [path], "keyword": keyword}}]
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
