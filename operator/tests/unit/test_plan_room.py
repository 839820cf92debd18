"""As many runs as may be active by default fit on the two cores for which that default is meant.

Otherwise each gets a part of its pods and waits for the room that the others hold, until all end in Error.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from seatrial.plan.pods import cores
from seatrial.settings import Settings
from tests.builders import plan_of

if TYPE_CHECKING:
    from seatrial.plan import Plan
    from seatrial.plan.model import Object

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.yaml"))
CORES = 2.0
OF_THE_SYSTEM = 0.2
"""What DNS and the operator request themselves."""


def most_requested(plan: Plan) -> float:
    """Cores that the pods of a run request together when as many suites run as may, the largest ones."""
    there = [
        *(item["spec"] for item in plan.environment if item["kind"] == "Pod"),
        *(item.pod["spec"] for item in plan.services),
        *(item.deployment["spec"]["template"]["spec"] for item in plan.applications),
    ]
    suites = sorted(
        (requested(item.job["spec"]["template"]["spec"]) * item.shards for item in plan.suites), reverse=True
    )
    return sum(map(requested, there)) + sum(suites[: plan.parallelism])


def requested(pod: Object) -> float:
    """Cores of a pod: what runs at the same time, sidecars among it."""
    sidecars = [item for item in pod.get("initContainers", ()) if item.get("restartPolicy") == "Always"]
    return sum(cores(item["resources"]["requests"]["cpu"]) for item in (*sidecars, *pod["containers"]))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_active_runs_have_room(path: Path) -> None:
    (run,) = (item for item in yaml.safe_load_all(path.read_text()) if item and item["kind"] == "TestRun")
    at_once = Settings.model_fields["max_active_runs"].default
    assert at_once * most_requested(plan_of(run["spec"])) <= CORES - OF_THE_SYSTEM
