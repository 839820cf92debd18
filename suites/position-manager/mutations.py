"""`python -m hack.mutations position-manager [BUG...]`: does the suite go red for each deliberate bug of the service?

Runs examples/position-manager.yaml on this machine with the tests that are to notice a bug, with
POSITION_MANAGER_BUG set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import yaml

from hack.local_run import ROOT
from hack.mutants import check
from position_manager.bugs import Bug

if TYPE_CHECKING:
    from collections.abc import Sequence

EXAMPLE: Final = ROOT / "examples" / "position-manager.yaml"
DEADLINE_SECONDS: Final = 5

FLOW, RESILIENCE = "test_kafka_integration.py", "test_resilience.py"
NOTICED_BY: Final = {
    Bug.DUPLICATES_COUNTED: (
        f"{FLOW}::TestMessageSequencing::test_duplicates_change_nothing",
        f"{FLOW}::TestMessageSequencing::test_older_messages_are_ignored",
    ),
    Bug.STATE_FORGOTTEN: (
        f"{RESILIENCE}::TestRestart::test_position_survives",
        f"{RESILIENCE}::TestRestart::test_what_is_restored_is_what_redis_holds",
    ),
    Bug.MEMORY_TRUSTED: (f"{RESILIENCE}::TestRebalance::test_state_that_changed_elsewhere_is_restored",),
    Bug.FUNDING_SIGN: (f"{FLOW}::TestPnl::test_funding_accrues_until_the_next_context",),
    Bug.EXCLUSIVE_LIMITS: (
        f"{FLOW}::TestEmergency::test_extreme_funding_closes_the_position",
        f"{FLOW}::TestEmergency::test_critical_imbalance_closes_the_position",
        f"{FLOW}::TestEmergency::test_imbalance_is_hedged_at_once",
        f"{FLOW}::TestProfitTaking::test_profit_target_closes_the_position",
        f"{FLOW}::TestProfitTaking::test_trailing_stop_closes_a_part",
    ),
    Bug.FLOAT_PRICES: (
        f"{FLOW}::TestNormalOperation::test_full_message_flow",
        f"{FLOW}::TestPnl::test_only_the_basis_counts",
    ),
    Bug.HEDGE_UNBOOKED: (f"{FLOW}::TestNormalOperation::test_drift_is_hedged_once",),
    Bug.CLOSED_REOPENED: (f"{FLOW}::TestEmergency::test_closed_position_stays_closed_and_another_may_follow",),
}
"""Every one of these tests must fail, in one of its cases at least."""


def manifest(bug: Bug | None, tests: Sequence[str]) -> list[dict[str, Any]]:
    """The example with the bug, and with these tests alone."""
    run: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text())
    spec = run["spec"]
    run["metadata"]["name"] = f"position-manager-{bug or 'control'}"
    if bug:
        spec["applications"][0]["env"].append({"name": "POSITION_MANAGER_BUG", "value": str(bug)})
    spec["suites"] = [
        {
            "name": "mutation",
            "image": spec["suites"][0]["image"],
            "pytest": {"paths": [f"/tests/{test}" for test in tests]},
            "env": [{"name": "SUITE_DEADLINE_SECONDS", "value": str(DEADLINE_SECONDS)}],
            "timeout": "5m",
        }
    ]
    return [run]


if __name__ == "__main__":
    check(__doc__, NOTICED_BY, manifest)
