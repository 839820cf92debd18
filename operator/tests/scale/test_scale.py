"""The short form of `make bench-scale`: everything but the times is asserted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from bench.scale import Place, measure
from bench.scale_load import Load

ROOT = Path(__file__).parents[3]
FIRST, LATE, SLOTS = 20, 5, 4
LOAD = Load("short", {"first": FIRST} | {f"late{number}": LATE for number in range(4)}, max_active=SLOTS)
WRITES = 45
"""That a short run may cost."""

pytestmark = [pytest.mark.faults, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def result() -> dict[str, Any]:
    """40 runs of five namespaces, four at a time, of which one namespace applied half of them first."""
    return await measure(LOAD, _place(), ROOT)


def _place() -> Place:
    kubeconfig = Path(os.environ.get("KUBECONFIG") or ROOT / ".cluster/kubeconfig")
    return Place(kubeconfig, yaml.safe_load(kubeconfig.read_text())["clusters"][0]["name"])


async def test_every_run_passes(result: dict[str, Any]) -> None:
    assert result["others"] == []
    assert result["passed"] == LOAD.total


async def test_nothing_is_left(result: dict[str, Any]) -> None:
    assert result["left"] == []


async def test_no_more_are_active_than_may_be(result: dict[str, Any]) -> None:
    # The watch may show that the next one has started before it shows that the last one is over.
    assert max(sample["counts"]["active"] for sample in result["samples"]) <= 2 * SLOTS


async def test_a_namespace_that_applies_many_does_not_keep_the_others_waiting(result: dict[str, Any]) -> None:
    starts = result["starts"]
    last = max(number for number, word in enumerate(starts) if word != "first")
    before = starts[:last].count("first")
    # Taking turns, the first namespace has one for each run of the others, beside the slots that it found free.
    assert before <= LATE + SLOTS, (
        f"{before} of the {FIRST} runs that came first were started before all others: {starts}"
    )


async def test_a_run_costs_few_writes(result: dict[str, Any]) -> None:
    writes = {key: count for key, count in result["operator_requests"].items() if not key.startswith("GET")}
    assert sum(writes.values()) <= WRITES * LOAD.total, writes
