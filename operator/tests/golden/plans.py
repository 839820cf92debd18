"""Plans as YAML, in the order in which they are carried out."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from seatrial.naming import RunId
from tests.builders import plan_of

if TYPE_CHECKING:
    from seatrial.plan import Plan

FOLDER = Path(__file__).parent
CASES = sorted(path.parent.name for path in FOLDER.glob("*/testrun.yaml"))
UID = "11111111-2222-3333-4444-555555555555"

Object = dict[str, Any]


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as such, and no references between parts."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def read_case(name: str) -> Plan:
    """The plan of a case."""
    manifest = yaml.safe_load((FOLDER / name / "testrun.yaml").read_text())
    metadata = manifest["metadata"]
    return plan_of(manifest["spec"], RunId(metadata["name"], metadata["namespace"], UID))


def as_yaml(plan: Plan) -> str:
    content = asdict(plan)
    content.pop("run")
    plain = _plain(content)
    return yaml.dump(plain, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)


def _plain(value: Any) -> Any:
    """Tuples as lists."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def objects_of(plan: Plan) -> list[Object]:
    """All objects of a run, the copies left out."""
    return [
        plan.namespace,
        *plan.isolation,
        plan.connection,
        *plan.environment,
        *(item for service in plan.services for item in (service.service, service.pod)),
        *(item for application in plan.applications for item in (application.service, application.deployment)),
        *(suite.job for suite in plan.suites),
    ]


def pod_specs(plan: Plan) -> dict[str, Object]:
    """The specs of all pods, by kind and name of what has them."""
    specs = {}
    for item in objects_of(plan):
        spec = item.get("spec") or {}
        if item["kind"] == "Pod":
            specs[f"Pod {item['metadata']['name']}"] = spec
        elif "template" in spec:
            specs[f"{item['kind']} {item['metadata']['name']}"] = spec["template"]["spec"]
    return specs
