"""What is allowed and still not what its author wants. Only what is certain to help."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seatrial.api.base import parse_duration
from seatrial.api.spec import parse_spec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from seatrial.api.spec import TestRunSpec
    from seatrial.cli.manifest import Manifest, Problem
    from seatrial.cli.nodes import Path


def advise(manifest: Manifest) -> list[Problem]:
    """Warnings about a TestRun whose spec is valid."""
    spec = parse_spec(manifest.body["spec"])
    found = [*_empty_services(manifest), *_images(spec), *_timeouts(spec), *_readiness(spec)]
    return [manifest.problem(("spec", *path), text, severity="warning") for path, text in found]


def _empty_services(manifest: Manifest) -> Iterator[tuple[Path, str]]:
    for name, value in (manifest.body["spec"].get("services") or {}).items():
        if value is None:
            yield (
                ("services", name),
                f"nothing is written after it, and client-side kubectl apply would drop it: write `{name}: {{}}`",
            )


def _images(spec: TestRunSpec) -> Iterator[tuple[Path, str]]:
    images: list[tuple[Path, str | None]] = [
        *((("applications", index, "image"), item.image) for index, item in enumerate(spec.applications)),
        *((("suites", index, "image"), item.image) for index, item in enumerate(spec.suites)),
    ]
    for path, image in images:
        if image is None or "@" in image:
            continue
        tag = image.rpartition("/")[2].partition(":")[2]
        if tag in {"", "latest"}:
            said = "has no tag" if not tag else "has the tag latest"
            yield path, f"{image} {said}, so that the same manifest can run other code tomorrow: name a version"


def _timeouts(spec: TestRunSpec) -> Iterator[tuple[Path, str]]:
    total = parse_duration(spec.timeouts.total)
    limit = f"timeouts.total ({spec.timeouts.total}), which ends the run first"
    if parse_duration(spec.timeouts.provision) > total:
        yield ("timeouts", "provision"), f"{spec.timeouts.provision} is longer than {limit}"
    for index, suite in enumerate(spec.suites):
        if parse_duration(suite.timeout) > total:
            yield ("suites", index, "timeout"), f"{suite.timeout} is longer than {limit}"
    seconds = sum(parse_duration(suite.timeout).total_seconds() for suite in spec.suites)
    if spec.parallelism == 1 and len(spec.suites) > 1 and seconds > total.total_seconds():
        longest = max(parse_duration(suite.timeout) for suite in spec.suites)
        if longest <= total:
            minutes = round(seconds / 60)
            yield (
                ("suites",),
                (
                    f"one after the other the suites may take {minutes} minutes, longer than {limit}: "
                    "shorten their timeouts, raise the total, or set parallelism"
                ),
            )


def _readiness(spec: TestRunSpec) -> Iterator[tuple[Path, str]]:
    for index, application in enumerate(spec.applications):
        if application.ports and application.ready is None:
            port = application.ports[0].name
            yield (
                ("applications", index),
                (
                    f"{application.name} has ports and no ready: its tests may start before it listens; "
                    f"write `ready: {{tcp: {{port: {port}}}}}` or an http path"
                ),
            )
