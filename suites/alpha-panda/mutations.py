"""`python -m hack.mutations alpha-panda [BUG...]`: does the suite go red for each deliberate bug of the services?

Runs examples/alpha-panda.yaml on this machine with the tests that are to notice a bug, with ALPHA_PANDA_BUG set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import yaml

from alpha_panda.mutations import VARIABLE, Bug
from hack.local_run import ROOT
from hack.mutants import check

if TYPE_CHECKING:
    from collections.abc import Sequence

EXAMPLE: Final = ROOT / "examples/alpha-panda.yaml"
DEADLINE_SECONDS: Final = 5

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


def manifest(bug: Bug | None, tests: Sequence[str]) -> list[dict[str, Any]]:
    """The example with the bug, and with these tests alone."""
    run: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text())
    variables = [{"name": VARIABLE, "value": str(bug)}] if bug else []
    for application in run["spec"]["applications"]:
        application["env"] += variables
    (suite,) = [suite for suite in run["spec"]["suites"] if suite["name"] == "integration"]
    suite["pytest"] = {"paths": ["/tests/integration", "/tests/e2e"], "keyword": " or ".join(tests)}
    suite["env"] = [*variables, {"name": "SUITE_DEADLINE_SECONDS", "value": str(DEADLINE_SECONDS)}]
    run["spec"]["suites"] = [suite]
    run["metadata"]["name"] = f"alpha-panda-{bug or 'control'}"
    return [run]


if __name__ == "__main__":
    check(__doc__, NOTICED_BY, manifest)
