from __future__ import annotations

from typing import Any

import pytest

from seatrial.agent.environment.checks.kafka_topics import find_missing, judge_created
from seatrial.agent.environment.input import Topic
from seatrial.agent.environment.outcomes import NotReadyError, RefusedError

A, B = Topic("a", 2, {}), Topic("b", 1, {"cleanup.polcy": "compact"})
NONE, EXISTS, INVALID_CONFIG, NOT_CONTROLLER = 0, 36, 40, 41


def listed(name: str, *leaders: int) -> dict[str, Any]:
    partitions = [{"partition": n, "leader": leader, "error_code": 0} for n, leader in enumerate(leaders)]
    return {"topic": name, "partitions": partitions}


def test_created_topics_and_those_that_exist_are_fine() -> None:
    judge_created([A, B], [("a", NONE, None), ("b", EXISTS, "Topic 'b' already exists.")])


def test_a_refused_topic_is_told_with_the_servers_words() -> None:
    answers = [("a", NONE, None), ("b", INVALID_CONFIG, "Unknown topic config name: cleanup.polcy")]
    with pytest.raises(RefusedError) as refusal:
        judge_created([A, B], answers)
    assert str(refusal.value) == (
        "Kafka refused to create b (partitions 1, config {'cleanup.polcy': 'compact'}): "
        "INVALID_CONFIG: Unknown topic config name: cleanup.polcy"
    )


def test_of_many_refused_topics_five_are_shown() -> None:
    topics = [Topic(f"t{number}", 1, {}) for number in range(7)]
    with pytest.raises(RefusedError) as refusal:
        judge_created(topics, [(topic.name, INVALID_CONFIG, None) for topic in topics])
    assert str(refusal.value).endswith("t4 (partitions 1): INVALID_CONFIG; and 2 more")


def test_what_may_go_away_is_tried_again() -> None:
    with pytest.raises(NotReadyError, match="cannot create the topic a yet: NOT_CONTROLLER"):
        judge_created([A], [("a", NOT_CONTROLLER, None)])


def test_every_partition_needs_a_leader() -> None:
    assert find_missing([A], [listed("other", 1)]) == "the topic a is created but not listed yet"
    assert find_missing([A], [listed("a")]) == "the topic a is created but not listed yet"
    assert find_missing([A], [listed("a", 1, -1)]) == "partition 1 of the topic a has no leader yet"
    assert find_missing([A, B], [listed("b", 1), listed("a", 1, 1)]) is None


def test_a_topic_of_another_shape_is_refused() -> None:
    with pytest.raises(RefusedError, match="the topic a has 3 partitions instead of 2: something else has created it"):
        find_missing([A], [listed("a", 1, 1, 1)])
