"""What is wrong with manifests, said before any API server sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seatrial.cli.lint.advice import advise
from seatrial.cli.lint.objects import TEST_RUN, check_object
from seatrial.cli.lint.references import check_references
from seatrial.cli.lint.spec import check_spec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seatrial.cli.manifest import Manifest, Problem

__all__ = ["lint"]


def lint(manifests: Sequence[Manifest]) -> list[Problem]:
    """Every problem of objects that will be used together, in the order of their places. Errors and warnings."""
    problems: list[Problem] = []
    for manifest in manifests:
        found = check_object(manifest)
        if manifest.kind == TEST_RUN:
            found += check_spec(manifest)
            if not any(problem.severity == "error" for problem in found):
                found += advise(manifest)
        problems += found
    problems += check_references(manifests)
    return sorted(problems)
