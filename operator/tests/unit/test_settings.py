"""The operator's configuration."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from seatrial.settings import Settings, SettingsError, load_settings

ROOT = Path(__file__).parents[3]
MINIMAL = {"images": {"agent": "agent:1", "suite": "suite:1"}, "catalogue": {}}


def load(folder: Path, text: str) -> Settings:
    path = folder / "config.yaml"
    path.write_text(text)
    return load_settings(path)


def test_what_is_not_said_has_a_default(tmp_path: Path) -> None:
    settings = load(tmp_path, yaml.safe_dump(MINIMAL))
    assert settings.images.pull_policy == "IfNotPresent"
    assert (settings.max_active_runs, settings.image_pull_seconds) == (4, 45.0)
    assert (settings.quota.pods, settings.quota.limits_memory) == (60, "16Gi")
    assert (settings.dns.namespace, settings.dns.labels) == ("kube-system", {"k8s-app": "kube-dns"})


def test_the_charts_values_are_a_configuration(tmp_path: Path) -> None:
    """The chart writes these members of its values into the file, under the same names."""
    values = yaml.safe_load((ROOT / "charts/seatrial/values.yaml").read_text())
    members = ("images", "catalogue", "maxActiveRuns", "imagePullSeconds", "quota", "dns")
    settings = load(tmp_path, yaml.safe_dump({name: values[name] for name in members}))
    assert set(settings.catalogue) == {"kafka", "redpanda", "redis", "postgres", "influxdb"}
    for entry in settings.catalogue.values():
        assert entry.default in entry.versions
    template = (ROOT / "charts/seatrial/templates/configmap.yaml").read_text()
    for name in members:
        assert f"{name}: {{{{" in template


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("images: {agent: a}", "images.suite: Field required"),
        ("catalogue: {}", "images: Field required"),
        ("images: [", "is not YAML"),
        ("", "Input should be a valid dictionary"),
        ("7", "Input should be a valid dictionary"),
        (yaml.safe_dump(MINIMAL | {"maxActiveRuns": 0}), "maxActiveRuns: Input should be greater than or equal to 1"),
        (yaml.safe_dump(MINIMAL | {"imagePullSeconds": 0}), "imagePullSeconds: Input should be greater than 0"),
        (yaml.safe_dump(MINIMAL | {"maxActiveRun": 3}), "maxActiveRun: Extra inputs are not permitted"),
        (yaml.safe_dump(MINIMAL | {"quota": {"pods": "many"}}), "quota.pods: Input should be a valid integer"),
    ],
)
def test_what_is_wrong_is_named_with_the_file(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, text)
    assert message in str(caught.value)
    assert str(tmp_path / "config.yaml") in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"config\.yaml: No such file or directory: the operator's configuration"):
        load_settings(tmp_path / "config.yaml")
