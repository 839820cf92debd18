"""What the identities of the chart may do is what docs/security.md says, as the API server itself lists it."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.e2e.kubectl import OPERATOR_NAMESPACE, ROOT, kubectl, kubectl_path

from .actors import account

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .actors import Actor
    from .scene import Scene

pytestmark = [pytest.mark.e2e, pytest.mark.security]

PAGE = ROOT / "docs" / "security.md"
CHART = ROOT / "charts" / "seatrial" / "templates" / "rbac.yaml"
OPERATOR_SOURCES = ROOT / "operator" / "seatrial"
_BLOCK = re.compile(r"<!-- rights: (?P<title>[^>]+) -->\n\n```text\n(?P<text>.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def nobody(scene: Scene) -> Iterator[Actor]:
    """A service account that nobody has granted anything: what it may do, everybody may."""
    kubectl("create", "serviceaccount", "nobody", "-n", scene.mine.namespace)
    yield account(scene.mine.namespace, "nobody")
    kubectl("delete", "serviceaccount", "nobody", "-n", scene.mine.namespace)


def _listed(actor: Actor, namespace: str, folder: Path) -> set[str]:
    """`kubectl auth can-i --list` with the actor's token, a line a rule."""
    path = actor.kubeconfig(folder)
    command = [kubectl_path(), f"--kubeconfig={path}", "auth", "can-i", "--list", "-n", namespace]
    text = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    return {_line(line) for line in text.splitlines()[1:] if line.strip()}


def _documented() -> dict[str, set[str]]:
    found = _BLOCK.findall(PAGE.read_text())
    return {title: {_line(line) for line in text.splitlines() if line.strip()} for title, text in found}


def _line(text: str) -> str:
    """A rule, its verbs in their alphabetical order: the API server's own depends on which role it looks at first."""
    head, _, verbs = " ".join(text.split()).rpartition("[")
    return f"{head}[{' '.join(sorted(verbs.rstrip(']').split()))}]"


def test_the_lists_of_the_page_are_those_of_the_cluster(scene: Scene, nobody: Actor, tmp_path: Path) -> None:
    tenant, space = scene.names["tenant"], scene.names["my_space"]
    operator, author = scene.actors["operator"], scene.actors["author"]
    everybody = _listed(nobody, "kube-system", tmp_path)
    anywhere = _listed(operator, "kube-system", tmp_path) - everybody
    at_home = _listed(operator, OPERATOR_NAMESPACE, tmp_path)
    seen = {
        "the operator, anywhere": anywhere,
        "the operator, more in a run's namespace": _listed(operator, space, tmp_path) - everybody - anywhere,
        "the operator, more in its own namespace": at_home - everybody - anywhere,
        "everybody, in the operator's namespace": _listed(nobody, OPERATOR_NAMESPACE, tmp_path) - everybody,
        "a tenant with the role edit, of the product in their own namespace": {
            line for line in _listed(author, tenant, tmp_path) - everybody if "seatrial.dev" in line
        },
        "a tenant with the role edit, in a run's namespace": _listed(author, space, tmp_path) - everybody,
    }
    # In a tenant's namespace the operator may do what it may anywhere, and no more.
    assert _listed(operator, tenant, tmp_path) - everybody == anywhere
    documented = _documented()
    assert documented.keys() == seen.keys()
    for title, lines in seen.items():
        text = "\n".join(sorted(lines))
        assert documented[title] == lines, f"{PAGE}, {title}; the cluster says:\n{text}"


def test_every_rule_of_the_operator_names_code_that_is_there() -> None:
    """A comment above a rule, or above the rules before it that belong together, names a module."""
    roles = [part for part in CHART.read_text().split("\n---\n") if re.search(r"kind: ClusterRole\n", part)]
    checked = 0
    for role in roles:
        if not re.search(r"name: seatrial(-run)?\n", role):
            continue
        comment = ""
        for line in role.split("rules:\n")[1].splitlines():
            if line.lstrip().startswith("#"):
                comment = line
            elif "- apiGroups" in line:
                modules = re.findall(r"[a-z_/]+\.py", comment)
                assert modules or "No request has this verb" in comment, f"no module is named above: {line}"
                assert all((OPERATOR_SOURCES / name).exists() for name in modules), comment
                checked += 1
    assert checked >= 15
