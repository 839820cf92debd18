"""What a pod of a run is: restricted, bounded, without a token, whatever its image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.kubectl import items
from tests.pod_rules import problems

from .dialling import passed
from .inside import BOUNDS

if TYPE_CHECKING:
    from .inside import Inside, Outside
    from .scene import Scene

pytestmark = [pytest.mark.e2e, pytest.mark.security]


def test_from_inside(inside: Inside) -> None:
    assert passed(inside.status, "pod") == BOUNDS.count("def test_")


@pytest.mark.node
def test_the_number_of_processes_is_up_to_the_node(outside: Outside) -> None:
    """No field of a pod says it: the kubelet's `podPidsLimit` does."""
    assert passed(outside.status, "pids") == 1


def test_every_pod_as_the_cluster_has_it(scene: Scene) -> None:
    pods = [*items("pods", scene.names["my_space"]), *items("pods", scene.names["their_space"])]
    assert len(pods) >= 6
    assert {pod["metadata"]["name"]: problems(pod["spec"]) for pod in pods if problems(pod["spec"])} == {}
    for pod in pods:
        assert pod["spec"]["serviceAccountName"] == "run"
        for container in [*pod["spec"]["containers"], *pod["spec"].get("initContainers", ())]:
            limits = container["resources"]["limits"]
            assert set(limits) == {"cpu", "memory", "ephemeral-storage"}, (pod["metadata"]["name"], limits)
