"""Does the suite notice? Runs it once for each deliberate bug of the services, and fails unless every run does.

    python -m hack.mutations alpha-panda [BUG...]

Each run is `seatrial run` of the example with ALPHA_PANDA_BUG set, and of those tests that must fail. Before them, a
control run: all of these tests, without a bug and with the same deadlines, which must pass; otherwise it would not be
the bugs that they notice. Exit status 1: the control run did not pass, a bug went unnoticed, or a run did not come to a
verdict.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any, Final

import yaml

from alpha_panda.mutations import VARIABLE, Bug
from hack.local_run import ROOT, status_of

if TYPE_CHECKING:
    from collections.abc import Collection

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
    control = status_of(manifest(None, [name for bug in chosen for name in NOTICED_BY[bug]]), seconds=RUN_SECONDS)
    print(f"without a bug: {control['phase']}: {control['message']}", flush=True)
    if control["phase"] != "Passed":
        sys.exit("nothing can be said about the bugs: their tests do not pass without one")
    unnoticed = [bug for bug in chosen if not noticed(bug)]
    print(f"{len(chosen) - len(unnoticed)} of {len(chosen)} bugs were noticed")
    sys.exit(1 if unnoticed else 0)


def noticed(bug: Bug) -> bool:
    """Whether every test that must fail did."""
    status = status_of(manifest(bug, NOTICED_BY[bug]), seconds=RUN_SECONDS)
    missed = not_failed(NOTICED_BY[bug], status)
    verdict = f"missed by {', '.join(missed)} ({status['phase']}: {status['message']})" if missed else "noticed"
    print(f"{bug}: {verdict}", flush=True)
    return not missed


def not_failed(names: Collection[str], status: dict[str, Any]) -> list[str]:
    """Those of the tests that did not fail by their own assertions: an error around a test is no finding of it."""
    failures = [failure for failure in status.get("failures", []) if failure["outcome"] == "failed"]
    return sorted(set(names) - {failure["id"].rpartition("::")[2].partition("[")[0] for failure in failures})


def manifest(bug: Bug | None, names: Collection[str]) -> dict[str, Any]:
    """The example with the bug, and with these tests alone."""
    run: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text())
    variables = [{"name": VARIABLE, "value": str(bug)}] if bug else []
    for application in run["spec"]["applications"]:
        application["env"] += variables
    (suite,) = [suite for suite in run["spec"]["suites"] if suite["name"] == "integration"]
    suite["pytest"] = {"paths": ["/tests/integration", "/tests/e2e"], "keyword": " or ".join(dict.fromkeys(names))}
    suite["env"] = [*variables, {"name": "SUITE_DEADLINE_SECONDS", "value": str(DEADLINE_SECONDS)}]
    run["spec"]["suites"] = [suite]
    run["metadata"]["name"] = f"alpha-panda-{bug or 'control'}"
    return run


if __name__ == "__main__":
    main()
