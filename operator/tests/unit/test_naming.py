"""Names are valid and different for every TestRun that the API server accepts."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seatrial.naming import (
    MAX_LABEL,
    RUN_UID_LABEL,
    RunId,
    as_label,
    component_labels,
    copied_config_map,
    copied_secret,
    digest,
    is_environment_of,
    run_labels,
    run_namespace,
    selector_of,
    slice_name,
    suite_job,
)

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")

OBJECT_NAMES = st.from_regex(SUBDOMAIN, fullmatch=True).filter(lambda name: len(name) <= 253)
LONG_NAMES = st.builds(
    lambda start, middle, end: f"{start}{middle}{end}",
    st.from_regex(r"[a-z0-9]", fullmatch=True),
    st.text("ab-0", min_size=40, max_size=250),
    st.from_regex(r"[a-z0-9]", fullmatch=True),
)
NAMES = st.one_of(OBJECT_NAMES, LONG_NAMES)
UIDS = st.uuids().map(str)
PARTS = st.from_regex(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", fullmatch=True)
"""Names of suites, services and applications."""


@given(name=NAMES, uid=UIDS)
@example(name="a" * 253, uid="u")
@example(name="a." * 126 + "a", uid="u")
@example(name="a" + "-" * 251 + "a", uid="u")
@example(name="1", uid="u")
def test_a_namespace_is_a_dns_label(name: str, uid: str) -> None:
    assert LABEL.fullmatch(run_namespace(RunId(name, "team-a", uid)))


@given(name=NAMES, uids=st.lists(UIDS, min_size=2, max_size=2, unique=True))
def test_runs_of_the_same_name_have_different_namespaces(name: str, uids: list[str]) -> None:
    one, other = (run_namespace(RunId(name, "team-a", uid)) for uid in uids)
    assert one != other


def test_a_namespace_can_be_read() -> None:
    assert run_namespace(RunId("orders", "team-a", "u")) == f"seatrial-orders-{digest('u')}"


@given(name=NAMES)
@example(name="a" * 253)
@example(name="a.b")
def test_copies_have_names_that_kubernetes_takes(name: str) -> None:
    for copied in (copied_config_map(name), copied_secret(name)):
        assert len(copied) <= MAX_LABEL
        assert LABEL.fullmatch(copied)


@given(names=st.lists(NAMES, min_size=2, max_size=2, unique=True))
@example(names=["a.b", "a-b"])
@example(names=["a" * 60, "a" * 61])
@example(names=["x" * 100 + ".a", "x" * 100 + ".b"])
def test_different_objects_have_different_copies(names: list[str]) -> None:
    assert copied_config_map(names[0]) != copied_config_map(names[1])
    assert copied_secret(names[0]) != copied_secret(names[1])


def test_copies_never_take_the_name_of_something_else() -> None:
    assert copied_config_map("environment") == "configmap-environment"
    assert copied_secret("connection") == "secret-connection"


@given(name=NAMES, uid=UIDS, suite=PARTS, shard=st.integers(0, 31), number=st.integers(0, 100_000))
def test_a_slice_has_a_name_that_kubernetes_takes(name: str, uid: str, suite: str, shard: int, number: int) -> None:
    found = slice_name(RunId(name, "team-a", uid), suite, shard, number)
    assert len(found) <= 63
    assert SUBDOMAIN.fullmatch(found)


def test_slices_of_other_runs_suites_shards_and_numbers_have_other_names() -> None:
    runs = [RunId("orders", "team-a", uid) for uid in ("u1", "u2")]
    names = {slice_name(run, suite, shard, n) for run in runs for suite in "ab" for shard in (0, 1) for n in (0, 1)}
    assert len(names) == 16


@given(name=NAMES, uid=UIDS, part=PARTS)
def test_labels_are_values_that_kubernetes_takes(name: str, uid: str, part: str) -> None:
    labels = component_labels(RunId(name, "team-a", uid), "suite", part)
    assert all(LABEL_VALUE.fullmatch(value) for value in labels.values())
    assert labels[RUN_UID_LABEL] == uid
    assert run_labels(RunId(name, "team-a", uid)).items() <= labels.items()


@given(suite=PARTS)
def test_a_job_leaves_room_for_its_pods(suite: str) -> None:
    # The host name of an indexed Job's pod is the Job's name with the index, and must be a label.
    assert LABEL.fullmatch(f"{suite_job(suite)}-31")


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("short", 63, "short"),
        ("abcdefghij", 10, "abcdefghij"),
        ("abcdefghijk", 10, f"a-{digest('abcdefghijk', 8)}"),
        ("ab-----------", 12, f"ab-{digest('ab-----------', 8)}"),
        ("a.b", 63, f"a-b-{digest('a.b', 8)}"),
        ("a-b", 63, "a-b"),
        ("a-0123456", 63, "a-0123456"),
        ("a-01234567", 63, f"a-01234567-{digest('a-01234567', 8)}"),  # it could be the label of another name
    ],
)
def test_as_label(text: str, limit: int, expected: str) -> None:
    assert as_label(text, limit) == expected


def test_nobody_can_give_an_object_the_name_of_anothers_copy() -> None:
    theirs = copied_config_map("a.b")
    assert copied_config_map(theirs.removeprefix("configmap-")) != theirs


@pytest.mark.parametrize(
    ("namespace", "ours"),
    [
        (f"seatrial-orders-{digest('u')}", True),
        (f"seatrial-anything-{digest('u')}", True),
        (f"seatrial-orders-{digest('v')}", False),
        (f"orders-{digest('u')}", False),
        (f"seatrial-orders-{digest('u')}-2", False),
        ("team-a", False),
    ],
)
def test_whose_environment_a_namespace_is(namespace: str, ours: bool) -> None:  # noqa: FBT001
    assert is_environment_of(namespace, "u") is ours


def test_a_run_is_spoken_of_by_its_name() -> None:
    assert str(RunId("orders", "team-a", "u")) == "team-a/orders"


@pytest.mark.parametrize(
    ("namespaces", "more"),
    [
        (("*",), ""),
        (("team-a", "team-[bc]"), ""),
        (("team-b", "team-a"), ",seatrial.dev/run-namespace in (team-a,team-b)"),
    ],
)
def test_an_operator_of_named_namespaces_watches_nothing_else(namespaces: tuple[str, ...], more: str) -> None:
    assert selector_of(namespaces) == f"app.kubernetes.io/managed-by=seatrial,seatrial.dev/run-uid{more}"
    assert run_labels(RunId("run", "team-a", "uid"))["seatrial.dev/run-namespace"] == "team-a"
