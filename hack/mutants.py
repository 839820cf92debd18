"""Runs with a deliberate bug in the service under test: the tests that are to notice it must fail, each of them.

For the suites' own `mutations.py`, which `python -m hack.mutations` calls.
"""

from __future__ import annotations

import argparse
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, TypeVar

from hack.local_run import status_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

Bug = TypeVar("Bug", bound=StrEnum)
RUN_SECONDS: Final = 600


def check(
    description: str | None,
    noticed_by: Mapping[Bug, Collection[str]],
    manifest: Callable[[Bug | None, Sequence[str]], Sequence[dict[str, Any]]],
) -> None:
    """Run the bugs that the command line names, or all; exit status 1 unless each is noticed.

    First comes a run of all their tests without a bug, which must pass: otherwise it would not be the bugs that they
    notice. `manifest` makes the objects of a run from a bug, or none, and tests.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = ", ".join(map(str, noticed_by))
    parser.add_argument("bugs", nargs="*", choices=[[], *map(str, noticed_by)], metavar="BUG", help=f"of {names}")
    asked = parser.parse_args().bugs
    chosen = [bug for bug in noticed_by if not asked or bug in asked]
    tests = dict.fromkeys(test for bug in chosen for test in noticed_by[bug])
    control = status_of(*manifest(None, list(tests)), seconds=RUN_SECONDS)
    print(f"without a bug: {control['phase']}: {control['message']}", flush=True)
    if control["phase"] != "Passed":
        sys.exit("nothing can be said about the bugs: their tests do not pass without one")
    unnoticed = [bug for bug in chosen if not _noticed(bug, noticed_by[bug], manifest(bug, list(noticed_by[bug])))]
    print(f"{len(chosen) - len(unnoticed)} of {len(chosen)} bugs were noticed")
    sys.exit(1 if unnoticed else 0)


def _noticed(bug: StrEnum, tests: Collection[str], objects: Sequence[dict[str, Any]]) -> bool:
    status = status_of(*objects, seconds=RUN_SECONDS)
    missed = not_failed(tests, status)
    verdict = f"MISSED by {', '.join(missed)}" if missed else "noticed"
    print(f"{bug}: {verdict} ({status['phase']}: {status['message']})", flush=True)
    return not missed


def not_failed(tests: Collection[str], status: dict[str, Any]) -> list[str]:
    """Those of the tests that did not fail by their own assertions, in one of their cases at least.

    A test is named by its id, or by the last part of it. An error around a test is no finding of it.
    """
    failures = [failure for failure in status.get("failures", ()) if failure["outcome"] == "failed"]
    failed = {failure["id"].partition("[")[0] for failure in failures}
    found = failed | {name.rpartition("::")[2] for name in failed}
    return sorted(set(tests) - found)
