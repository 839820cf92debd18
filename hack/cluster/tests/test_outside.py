"""The host outside can be reached, and policies keep pods from it, unless they are switched off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hack.cluster.layout import METADATA_ADDRESS, OUTSIDE_ADDRESS
from hack.cluster.outside import TCP_PORTS, UDP_PORTS
from hack.cluster.tests.conftest import run_cluster
from hack.cluster.tests.kubectl import Kubectl, pod, policy, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.e2e, pytest.mark.node]

TARGETS = [
    f"{protocol}:{address}:{port}"
    for address in (OUTSIDE_ADDRESS, METADATA_ADDRESS)
    for protocol, ports in (("tcp", TCP_PORTS), ("udp", UDP_PORTS))
    for port in ports
]
NOBODY = f"tcp:{OUTSIDE_ADDRESS[: OUTSIDE_ADDRESS.rindex('.')]}.11:80"


@pytest.fixture
def client(namespace: Kubectl) -> Kubectl:
    namespace.apply(pod("client", "hold"))
    namespace.wait_phase("client", "Running")
    return namespace


def test_it_answers_at_its_addresses_and_no_other_host_does(client: Kubectl) -> None:
    assert client.dial("client", [*TARGETS, NOBODY]) == dict.fromkeys(TARGETS, True) | {NOBODY: False}


@pytest.fixture
def switched_on() -> Iterator[None]:
    yield
    run_cluster("policies", "on")


@pytest.mark.disruptive
@pytest.mark.usefixtures("switched_on")
def test_policies_can_be_switched_off(client: Kubectl) -> None:
    def all_are(*, reached: bool) -> bool | None:
        return True if client.dial("client", TARGETS) == dict.fromkeys(TARGETS, reached) else None

    client.apply(policy("deny-all", policyTypes=["Ingress", "Egress"]))
    wait_for("the policy", lambda: all_are(reached=False))
    run_cluster("policies", "off")
    wait_for("policies to be ignored", lambda: all_are(reached=True))
    run_cluster("policies", "on")
    wait_for("the policy again", lambda: all_are(reached=False))
