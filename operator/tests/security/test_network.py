"""From inside of a run there is the run, and the names that DNS knows, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.kubectl import items

from .dialling import address_of, passed
from .inside import OUTSIDE

if TYPE_CHECKING:
    from .inside import Inside, Outside
    from .scene import Scene

pytestmark = [pytest.mark.e2e, pytest.mark.security]


def test_nothing_in_the_cluster_but_its_own_run_and_dns(inside: Inside) -> None:
    assert inside.reached == dict.fromkeys(inside.targets, True) | dict.fromkeys(inside.others, False), "from a pod"
    assert passed(inside.status, "network") == len(inside.targets) + len(inside.others) + len(inside.allowed)


def test_what_is_refused_would_have_answered(scene: Scene) -> None:
    """The other run's services accept connections: from their own namespace, through the same address."""
    space = scene.names["their_space"]
    found = items("endpointslices", space, "kubernetes.io/service-name=redis")
    assert found[0]["endpoints"][0]["addresses"] == [address_of(space, "seatrial.dev/name=redis")]
    assert scene.theirs.get("theirs")["status"]["services"][0]["ready"] is True


@pytest.mark.node
def test_nothing_outside_of_the_cluster(outside: Outside) -> None:
    """Both addresses are those of a host that is part of the test cluster: a host on the internet, and metadata."""
    assert outside.reached == dict.fromkeys(OUTSIDE, True), "without policies"
    assert passed(outside.status, "network") == len(OUTSIDE) + 1
