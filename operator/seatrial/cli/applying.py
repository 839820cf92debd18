"""The objects of manifests, as they are applied to a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seatrial.cli.lint.objects import TEST_RUN, check_object
from seatrial.cli.manifest import load_all, refuse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from seatrial.cli.manifest import Manifest, Problem

Object = dict[str, Any]


def read_objects(paths: Sequence[Path]) -> list[Object]:
    """The objects of some files, TestRuns last: they need the others. Raises ManifestError.

    Specs are the API server's to check: it may know fields that this program does not.
    """
    manifests = load_all(paths)
    refuse((problem for manifest in manifests for problem in _check(manifest)), manifests)
    return [manifest.body for manifest in sorted(manifests, key=lambda manifest: manifest.kind == TEST_RUN)]


def _check(manifest: Manifest) -> Iterator[Problem]:
    for problem in check_object(manifest):
        if problem.severity == "error":
            yield problem
        else:  # another kind
            yield manifest.problem(("kind",), f"a {manifest.kind} is not applied by seatrial: kubectl apply it first")
