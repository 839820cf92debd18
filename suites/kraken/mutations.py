"""`python -m hack.mutations kraken [BUG...]`: does the suite go red for each deliberate bug of the service?

Runs examples/kraken.yaml on this machine with the tests that are to notice a bug, with KRAKEN_BUG set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import yaml

from hack.local_run import ROOT
from hack.mutants import check
from kraken.bugs import Bug

if TYPE_CHECKING:
    from collections.abc import Sequence

EXAMPLE: Final = ROOT / "examples" / "kraken.yaml"

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


def manifest(bug: Bug | None, tests: Sequence[str]) -> list[dict[str, Any]]:
    """The example with the bug, and with these tests alone."""
    documents: list[dict[str, Any]] = [document for document in yaml.safe_load_all(EXAMPLE.read_text()) if document]
    (run,) = (item for item in documents if item["kind"] == "TestRun")
    run["metadata"]["name"] = f"kraken-{bug or 'control'}"
    spec = run["spec"]
    first = spec["suites"][0]
    spec["suites"] = [first | {"name": "mutation", "pytest": {"paths": [f"/tests/{test}" for test in tests]}}]
    if bug:
        (service,) = (item for item in spec["applications"] if item["name"] == "kraken")
        service["env"].append({"name": "KRAKEN_BUG", "value": str(bug)})
    return documents


if __name__ == "__main__":
    check(__doc__, NOTICED_BY, manifest)
