"""`python -m hack.mutations kraken [BUG...]`: does the suite go red for each deliberate bug of the service?

Runs examples/kraken.yaml on this machine with the tests that are to notice a bug: all of them without any, which have
to pass, and for each KRAKEN_BUG its own, each of which has to fail. Exit status 1 otherwise.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any, Final

import yaml

from hack.local_run import ROOT, status_of
from kraken.bugs import Bug

if TYPE_CHECKING:
    from collections.abc import Iterable

EXAMPLE: Final = ROOT / "examples" / "kraken.yaml"
RUN_SECONDS: Final = 600
CONTROL: Final = "none"

PRODUCTION, SAFETY, SURVIVAL = (f"test_{name}.py" for name in ("phase7_production_integration", "safety", "survival"))
NOTICED_BY: Final = {
    Bug.BLIND_RESEND: (f"{SAFETY}::TestUnknownOutcome::test_an_order_that_was_carried_out_is_found",),
    Bug.FORGET_FEES: (f"{PRODUCTION}::TestOrderManagement::test_fee_calculation",),
    Bug.BOOK_ORDERED: (f"{PRODUCTION}::TestOrderManagement::test_partial_fill_handling",),
    Bug.DOUBLE_BOOKING: (f"{SURVIVAL}::test_what_is_open_is_still_tracked",),
    Bug.NO_DAILY_LIMIT: (f"{PRODUCTION}::TestRiskManagement::test_daily_trade_count_limits",),
    Bug.BREAKER_STAYS_CLOSED: (f"{PRODUCTION}::TestFailSafeMechanisms::test_circuit_breaker_activation",),
    Bug.CONSTANT_BACKOFF: (
        f"{PRODUCTION}::TestFailSafeMechanisms::test_rate_limit_handling",
        f"{PRODUCTION}::TestAuthenticationAndConnectivity::test_connection_retry_logic",
    ),
    Bug.STALE_AS_FRESH: (f"{PRODUCTION}::TestFailSafeMechanisms::test_graceful_degradation",),
    Bug.FORGET_HALT: (f"{SURVIVAL}::test_a_halt_and_tightened_limits_outlive_the_process",),
    Bug.NO_TAKE_PROFIT: (f"{SAFETY}::TestExits::test_take_profit_sells_what_was_bought",),
}
"""Every one of these tests must fail, in one of its cases at least."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    bugs = [bug for bug in Bug if bug is not Bug.NONE]
    names = [CONTROL, *map(str, bugs)]
    parser.add_argument("bugs", nargs="*", choices=[[], *names], metavar="BUG", help=f"of {', '.join(names)}")
    chosen = parser.parse_args().bugs or names
    wrong = [name for name in chosen if not as_expected(Bug.NONE if name == CONTROL else Bug(name))]
    print(f"{len(chosen) - len(wrong)} of {len(chosen)} runs came to what was expected")
    sys.exit(1 if wrong else 0)


def as_expected(bug: Bug) -> bool:
    """Whether a run passed without a bug, or failed in every test that is to notice the bug."""
    status = status_of(*manifest(bug), seconds=RUN_SECONDS)
    # An error around a test, such as a service that does not answer, is no finding of the test.
    failures = [failure for failure in status.get("failures", ()) if failure["outcome"] == "failed"]
    failed = sorted({failure["id"].partition("[")[0] for failure in failures})
    missed = [test for test in NOTICED_BY.get(bug, ()) if test not in failed]
    right = not missed and status["phase"] == ("Passed" if bug is Bug.NONE else "Failed")
    print(f"{'ok' if right else 'WRONG':6}{bug or CONTROL:24}{status['phase']:8}{status['message']}")
    for word, tests in (("failed", failed), ("MISSED", missed)):
        for test in tests:
            print(f"{'':6}{word:8}{test}")
    sys.stdout.flush()
    return right


def manifest(bug: Bug) -> list[dict[str, Any]]:
    """The example with the bug, and only the tests that are to notice it; without one, those for all bugs."""
    documents: list[dict[str, Any]] = [document for document in yaml.safe_load_all(EXAMPLE.read_text()) if document]
    (run,) = (item for item in documents if item["kind"] == "TestRun")
    run["metadata"]["name"] = f"kraken-{bug or CONTROL}"
    spec = run["spec"]
    tests: Iterable[str] = NOTICED_BY[bug] if bug else (test for named in NOTICED_BY.values() for test in named)
    first = spec["suites"][0]
    spec["suites"] = [first | {"name": "mutation", "pytest": {"paths": [f"/tests/{test}" for test in tests]}}]
    if bug:
        (service,) = (item for item in spec["applications"] if item["name"] == "kraken")
        service["env"].append({"name": "KRAKEN_BUG", "value": str(bug)})
    return documents


if __name__ == "__main__":
    main()
