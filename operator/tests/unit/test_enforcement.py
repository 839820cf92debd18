"""What is concluded from two pods about a cluster's network policies, and what follows for runs."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from seatrial import enforcement as module
from seatrial.agent import network_check
from seatrial.decide import Orders, Past, decide
from seatrial.enforcement import Enforcement
from seatrial.errors import ForbiddenError
from seatrial.policy_trial import CLIENT, SERVER, Enforced, judge
from seatrial.settings import NetworkPolicies, RunPods
from seatrial.verdict import Judgement, State
from tests.builders import SETTINGS, T0, plan_of, snapshot_of
from tests.fake_cluster import FakeCluster

if TYPE_CHECKING:
    from collections.abc import Callable

STRICT = SETTINGS.model_copy(
    update={"network_policies": NetworkPolicies(check=True, required=True), "account": "ops:seatrial"}
)


@pytest.mark.parametrize(
    ("seen", "enforced", "words"),
    [
        ({"reached": True, "ingress": True, "egress": True}, Enforced.TRUE, "on both of their ends"),
        ({"reached": True, "ingress": False, "egress": True}, Enforced.FALSE, "connections into pods"),
        ({"reached": True, "ingress": True, "egress": False}, Enforced.FALSE, "connections out of pods"),
        ({"reached": True, "ingress": False, "egress": False}, Enforced.FALSE, "into and out of pods"),
        ({"reached": False, "ingress": False, "egress": False}, Enforced.UNKNOWN, "did not come about"),
        (None, Enforced.UNKNOWN, "did not come about"),
        ("Killed", Enforced.UNKNOWN, "'Killed'"),
        ([], Enforced.UNKNOWN, "[]"),
    ],
)
def test_what_is_concluded(seen: Any, enforced: Enforced, words: str) -> None:
    finding = judge(seen)
    assert finding.enforced is enforced
    assert words in finding.message


def _play(cluster: FakeCluster, words: Any) -> Callable[[], None]:
    """A node on which the server runs and the client says something."""

    def react() -> None:
        for pod in cluster.of_kind("Pod"):
            name = pod["metadata"]["name"]
            if name == SERVER:
                pod["status"] = {"phase": "Running", "podIP": "10.0.0.1"}
            elif name == CLIENT:
                ended = {"state": {"terminated": {"message": json.dumps(words)}}}
                pod["status"] = {"phase": "Succeeded", "containerStatuses": [ended]}

    return react


async def _watch(words: Any, settings: Any = STRICT) -> tuple[FakeCluster, Enforcement]:
    cluster = FakeCluster()
    enforcement = Enforcement(cluster, settings)
    cluster.on_change.append(_play(cluster, words))
    told = asyncio.Event()
    task = asyncio.create_task(enforcement.watch(told.set))
    async with asyncio.timeout(30):
        await told.wait()
        await cluster.until(lambda: bool(cluster.own_events), "the Event")
    task.cancel()
    return cluster, enforcement


async def test_it_is_tried_in_a_namespace_like_that_of_a_run_and_said() -> None:
    cluster, enforcement = await _watch({"reached": True, "ingress": True, "egress": True})
    assert enforcement.finding.enforced is Enforced.TRUE
    assert enforcement.barred() is None
    assert cluster.own_events == [("ops", "NetworkPoliciesEnforced", False)]
    status = cluster.objects["ConfigMap", "ops", "seatrial-status"]
    assert status["data"]["networkPoliciesEnforced"] == "True"
    assert cluster.of_kind("Namespace") == [], "nothing is left"
    assert enforcement.in_use == set()
    ((_, _, space),) = (key for key in cluster.created if key[0] == "Namespace")
    assert space.startswith("seatrial-network-check-")
    assert cluster.created["RoleBinding", space, "seatrial-operator"] == 1


async def test_where_they_are_not_enforced_it_is_a_warning_and_no_run_starts() -> None:
    cluster, enforcement = await _watch({"reached": True, "ingress": False, "egress": False})
    assert cluster.own_events == [("ops", "NetworkPoliciesNotEnforced", True)]
    barred = enforcement.barred()
    assert barred is not None
    assert (barred.state, barred.reason) == (State.ERROR, "NetworkPoliciesNotEnforced")


async def test_without_the_strict_setting_runs_start_all_the_same() -> None:
    lenient = STRICT.model_copy(update={"network_policies": NetworkPolicies(check=True)})
    _, enforcement = await _watch({"reached": True, "ingress": False, "egress": False}, lenient)
    assert enforcement.finding.enforced is Enforced.FALSE
    assert enforcement.barred() is None


def test_as_long_as_it_is_not_known_runs_wait() -> None:
    barred = Enforcement(FakeCluster(), STRICT).barred()
    assert barred is not None
    assert (barred.state, barred.reason) == (State.PENDING, "NetworkPoliciesUnknown")


async def test_what_cannot_be_tried_is_not_known() -> None:
    cluster = FakeCluster()

    def refuse(_: int, write: Any) -> None:
        if "Pod" in str(write):
            raise ForbiddenError("no room")

    cluster.before = refuse
    enforcement = Enforcement(cluster, STRICT)
    told = asyncio.Event()
    task = asyncio.create_task(enforcement.watch(told.set))
    async with asyncio.timeout(30):
        await told.wait()
    task.cancel()
    assert enforcement.finding.enforced is Enforced.UNKNOWN
    assert "no room" in enforcement.finding.message


def _stuck(cluster: FakeCluster) -> Callable[[], None]:
    """A node that cannot pull the image."""

    def react() -> None:
        for pod in cluster.of_kind("Pod"):
            waiting = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "localhost/none:1"'}
            status = {"name": "it", "state": {"waiting": waiting}}
            pod["status"] = {"phase": "Pending", "containerStatuses": [status]}

    return react


async def test_pods_that_do_not_run_are_named_with_what_they_wait_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """In every message; in an Event once, however often it is tried; and each pause is longer."""
    monkeypatch.setattr(module, "CHECK_SECONDS", 0.05)
    cluster = FakeCluster()
    cluster.on_change.append(_stuck(cluster))
    enforcement, pauses, stop, sleep = Enforcement(cluster, STRICT), [], asyncio.Event(), asyncio.sleep

    async def pause(seconds: float) -> None:
        if seconds >= module.UNKNOWN_SECONDS:
            pauses.append(seconds)
            if len(pauses) == 6:
                stop.set()
                await asyncio.Event().wait()
        await sleep(0 if seconds >= module.UNKNOWN_SECONDS else seconds)

    monkeypatch.setattr(asyncio, "sleep", pause)
    task = asyncio.create_task(enforcement.watch(lambda: None))
    async with asyncio.timeout(30):
        await stop.wait()
    task.cancel()
    assert pauses == [30, 60, 120, 240, 300, 300]
    assert cluster.own_events == [("ops", "NetworkPoliciesUnknown", True)]
    said = cluster.objects["ConfigMap", "ops", "seatrial-status"]["data"]["networkPoliciesMessage"]
    for words in (
        "pod server waits (ImagePullBackOff) Back-off pulling image",
        "in namespace seatrial-network-check-",
        "waited 0.05 s",
        "kubectl get pods --all-namespaces --watch -l seatrial.dev/component=check",
    ):
        assert words in said
    assert enforcement.finding.text == said


async def test_the_pods_are_where_those_of_runs_are() -> None:
    runs = RunPods(runtime_class_name="gvisor", node_selector={"pool": "tests"})
    cluster = FakeCluster()
    seen: list[tuple[str, dict[str, str]]] = []

    def note() -> None:
        seen.extend((pod["spec"]["runtimeClassName"], pod["spec"]["nodeSelector"]) for pod in cluster.of_kind("Pod"))

    cluster.on_change += [note, _play(cluster, {"reached": True, "ingress": True, "egress": True})]
    async with asyncio.timeout(30):
        await Enforcement(cluster, STRICT.model_copy(update={"runs": runs})).watch(lambda: None)
    assert seen
    assert all(placed == ("gvisor", {"pool": "tests"}) for placed in seen)


ERROR = Judgement(State.ERROR, "NetworkPoliciesNotEnforced", "no")
PENDING = Judgement(State.PENDING, "NetworkPoliciesUnknown", "not yet")


def test_a_run_that_may_not_start_ends_or_waits() -> None:
    plan = plan_of()
    empty = snapshot_of(plan, namespace_exists=False, namespace_seen=False, pods=())
    assert decide(plan, empty, Past(), Orders(barred=ERROR), T0).verdict == ERROR
    held = decide(plan, empty, Past(), Orders(barred=PENDING), T0)
    assert (held.held, held.steps) == (PENDING, ())


def test_a_run_that_goes_on_is_not_ended() -> None:
    going = decide(plan_of(), snapshot_of(plan_of()), Past(started_at=T0), Orders(barred=ERROR), T0 + 1)
    assert going.verdict is None


def test_a_port_that_is_refused_and_one_that_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """On this machine nothing refuses: the check must say so."""
    monkeypatch.setattr(network_check, "REFUSE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert network_check.opens("127.0.0.1", port)
        assert not network_check.closes("127.0.0.1", port)
    assert network_check.closes("127.0.0.1", port)
