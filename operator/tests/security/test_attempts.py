"""Everything in the table is refused, by whom the table says, and what may be done can be done."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.kubectl import kubectl

from .attempt import CORE, OURS, REFUSED_BY, Attempt, merge
from .attempts import ATTEMPTS
from .bodies import run, variable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .actors import Answer
    from .scene import Scene

pytestmark = [pytest.mark.e2e, pytest.mark.security]


@pytest.fixture(scope="module")
def held(scene: Scene) -> Iterator[Scene]:
    """Two runs of the author that have not been started: one names a Secret, the other none."""
    suites = [{"name": "it", "env": [variable("Secret", "api-key")]}]
    for body in (run("held", suites), run("plain")):
        assert _send(scene, Attempt("author", "", "POST", f"{OURS}/$tenant/testruns", body)).status == 201
    yield scene
    kubectl("delete", "testruns", "held", "plain", "-n", scene.mine.namespace)


def _send(scene: Scene, attempt: Attempt) -> Answer:
    actor = scene.actors[attempt.who]
    path, body = scene.fill(attempt.path), scene.fill(attempt.body) if attempt.body is not None else None
    return actor.send(attempt.method, path, body, content=attempt.content, **dict(attempt.query))


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=str)
def test_it_is_refused(held: Scene, attempt: Attempt) -> None:
    answer = _send(held, attempt)
    assert answer.status in {400, 403, 422}, f"not refused: {answer}"
    wanted = "|".join(REFUSED_BY[who] for who in attempt.by)
    assert re.search(wanted, answer.message), f"refused, but not by {' or '.join(attempt.by)}: {answer}"


def test_the_table_is_long_enough_and_says_everything_once() -> None:
    assert len(ATTEMPTS) >= 40
    assert [name for name, times in Counter(map(str, ATTEMPTS)).items() if times > 1] == []


def _run(*env: dict[str, Any], **more: Any) -> dict[str, Any]:
    return run("allowed", [{"name": "it", "env": list(env), **more}])


TWICE = [variable("Secret", "api-key"), variable("ConfigMap", "quick", 1), variable("Secret", "api-key", 2)]


@pytest.mark.parametrize(
    ("who", "body"),
    [
        ("author", _run(variable("Secret", "api-key"), variable("ConfigMap", "quick", 1))),
        ("author", _run(*(variable("Secret", f"s{number}", number) for number in range(40)))),
        ("caller", _run()),
        ("named", _run(*TWICE)),
        ("named", _run(testsFrom={"configMapRef": {"name": "quick"}})),
    ],
    ids=["who may read all", "who may read all, and names many", "no references", "by name", "tests by name"],
)  # fmt: skip
def test_whoever_may_read_it_may_name_it(held: Scene, who: str, body: dict[str, Any]) -> None:
    answer = _send(held, Attempt(who, "", "POST", f"{OURS}/$tenant/testruns", body))
    assert answer.status == 201, str(answer)
    kubectl("delete", "testrun", "allowed", "-n", held.mine.namespace)


def test_who_may_not_read_a_secret_may_still_cancel_a_run_that_names_it(held: Scene) -> None:
    patch = {"spec": {"retention": {"onFailure": "0s"}}}
    answer = _send(
        held, Attempt("caller", "", "PATCH", f"{OURS}/$tenant/testruns/held", patch, "application/merge-patch+json")
    )
    assert answer.status == 200, str(answer)


def test_a_status_may_be_written_where_labels_stay_as_they_are(held: Scene) -> None:
    """As kubelets and controllers do, which the policies must not be in the way of."""
    condition = {"type": "example.com/seen", "status": "True"}
    uid = {"seatrial.dev/run-uid": "$their_uid"}
    for path, body in (
        (f"{CORE}/$their_space/status", {"metadata": {"labels": uid}}),
        (f"{CORE}/$tenant/status", {}),
        (f"{CORE}/$tenant/pods/bystander/status", {"status": {"conditions": [condition]}}),
    ):
        answer = _send(held, merge("maker", "", path, body))
        assert answer.status == 200, f"{path}: {answer}"


def test_a_status_that_is_created_with_a_run_is_nothing(held: Scene) -> None:
    body = run("forged") | {"status": {"phase": "Passed", "observedGeneration": 1}}
    answer = _send(held, Attempt("owner", "", "POST", f"{OURS}/$tenant/testruns", body))
    assert answer.status == 201, str(answer)
    assert answer.body["status"] == {"observedGeneration": -1}
    kubectl("delete", "testrun", "forged", "-n", held.mine.namespace)
