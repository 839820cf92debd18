"""`python -m hack.mutations position-manager [BUG...]`: does the suite go red for each deliberate bug of the service?

Runs examples/position-manager.yaml on this machine: once as it is, which has to pass, and once for each
POSITION_MANAGER_BUG with the tests that are to notice it, each of which has to fail. Exit status 1 otherwise.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any, Final

import yaml

from hack.local_run import ROOT, status_of
from position_manager.bugs import Bug

EXAMPLE: Final = ROOT / "examples" / "position-manager.yaml"
RUN_SECONDS: Final = 600
DEADLINE_SECONDS: Final = 5
"""Of each wait in a run that has to fail."""
CONTROL: Final = "none"

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [CONTROL, *map(str, Bug)]
    parser.add_argument("bugs", nargs="*", choices=[[], *names], metavar="BUG", help=f"of {', '.join(names)}")
    chosen = parser.parse_args().bugs or names
    wrong = [name for name in chosen if not as_expected(None if name == CONTROL else Bug(name))]
    print(f"{len(chosen) - len(wrong)} of {len(chosen)} runs came to what was expected")
    sys.exit(1 if wrong else 0)


def as_expected(bug: Bug | None) -> bool:
    """Whether a run passed without a bug, or failed in every test that is to notice the bug."""
    status = status_of(manifest(bug), seconds=RUN_SECONDS)
    failed = sorted({failure["id"].partition("[")[0] for failure in status.get("failures", ())})
    missed = [test for test in NOTICED_BY[bug] if test not in failed] if bug else []
    right = not missed and status["phase"] == ("Failed" if bug else "Passed")
    print(f"{'ok' if right else 'WRONG':6}{bug or CONTROL:20}{status['phase']:8}{status['message']}")
    for word, tests in (("failed", failed), ("MISSED", missed)):
        for test in tests:
            print(f"{'':6}{word:8}{test}")
    sys.stdout.flush()
    return right


def manifest(bug: Bug | None) -> dict[str, Any]:
    """The example; with a bug, only the tests that are to notice it."""
    document: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text())
    if bug is None:
        return document
    spec = document["spec"]
    document["metadata"]["name"] = f"position-manager-{bug}"
    spec["applications"][0]["env"].append({"name": "POSITION_MANAGER_BUG", "value": str(bug)})
    spec["suites"] = [
        {
            "name": "mutation",
            "image": spec["suites"][0]["image"],
            "pytest": {"paths": [f"/tests/{test}" for test in NOTICED_BY[bug]]},
            "env": [{"name": "SUITE_DEADLINE_SECONDS", "value": str(DEADLINE_SECONDS)}],
            "timeout": "5m",
        }
    ]
    return document


if __name__ == "__main__":
    main()
