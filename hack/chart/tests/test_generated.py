"""What of the chart is generated, and what has to fit together for that."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from prometheus_client import REGISTRY

import seatrial.metrics  # noqa: F401  (registers the metrics)
from hack.chart import __main__ as command
from hack.chart import generate
from hack.chart.comments import descriptions
from hack.chart.values import OPERATOR_SETTINGS, SET_BY_CHART, Values

if TYPE_CHECKING:
    from pathlib import Path

CHART = generate.CHART
TEXT = generate.VALUES.read_text()
# Of every process and of Python: not ours.
FOREIGN = ("process_", "python_")


def values() -> dict[str, Any]:
    return dict(yaml.safe_load(TEXT))


def test_the_values_are_what_the_model_says() -> None:
    Values.model_validate(values())
    assert set(values()) == {field.alias for field in Values.model_fields.values()} - set(SET_BY_CHART)


def test_the_operator_gets_its_settings_as_they_are() -> None:
    """A setting that the chart does not pass on would be a value that does nothing."""
    template = (CHART / "templates" / "configmap.yaml").read_text()
    assert set(re.findall(r"^    (\w+): \{\{", template, re.MULTILINE)) == set(OPERATOR_SETTINGS)


def test_every_value_is_used_by_a_template() -> None:
    templates = "".join(path.read_text() for path in (CHART / "templates").iterdir())
    for name in values():
        assert f".Values.{name}" in templates, name


def test_a_comment_belongs_to_what_is_below_it() -> None:
    found = descriptions("# One\n# thing.\na: 1\nb:\n  # Another.\n  c: [x]\n\n# Not of d.\n\nd: 2\n")
    assert found == {("a",): "One thing.", ("b", "c"): "Another."}


def with_values(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "values.yaml"
    path.write_text(text)
    monkeypatch.setattr(generate, "VALUES", path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TEXT + "# New.\nreplicas: 2\n", "values.yaml has replicas, which hack/chart/values.py does not know"),
        (TEXT.replace("  pods: 60", "  # Much.\n  nodes: 60"), "values.yaml has quota.nodes, which"),
        (TEXT.replace("  # How often.\n", ""), "serviceMonitor.interval has no comment"),
    ],
)
def test_what_does_not_fit_is_named(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_values(text, tmp_path, monkeypatch)
    assert command.main(["--check"]) == 1
    assert message in capsys.readouterr().err


def test_a_file_that_is_out_of_date_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["--check"]) == 0
    with_values(TEXT.replace("maxActiveRuns: 4", "maxActiveRuns: 5"), tmp_path, monkeypatch)
    assert command.main(["--check"]) == 1
    assert "charts/seatrial/README.md does not follow from the chart: run `make chart`" in capsys.readouterr().err


def test_the_dashboard_shows_metrics_that_exist() -> None:
    dashboard = json.loads((CHART / "files" / "dashboard.json").read_text())
    expressions = " ".join(target["expr"] for panel in dashboard["panels"] for target in panel["targets"])
    shown = {name.removesuffix("_bucket") for name in re.findall(r"seatrial_\w+", expressions)}
    known = {
        metric.name + ("_total" if metric.type == "counter" else "")
        for metric in REGISTRY.collect()
        if not metric.name.startswith(FOREIGN)
    }
    assert shown == known


def test_panels_have_places_and_words() -> None:
    panels = json.loads((CHART / "files" / "dashboard.json").read_text())["panels"]
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["description"].endswith(".") for panel in panels)
