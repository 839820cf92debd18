"""Apply a manifest with one TestRun, follow the run, print its results. `python -m hack.demo MANIFEST`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

DEADLINE_SECONDS = 600
COLOURS = {"Passed": "green", "Failed": "red", "Error": "red", "Cancelled": "yellow"}

console = Console(highlight=False, soft_wrap=True)


def kubectl_path() -> str:
    """The kubectl of the cluster's own version."""
    command = [sys.executable, "-m", "hack.cluster", "path", "kubectl"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def kubectl(*arguments: str) -> None:
    subprocess.run([kubectl_path(), *arguments], check=True)


def watch(name: str) -> Iterator[dict[str, Any]]:
    """The TestRun, each time that it changes."""
    command = [
        kubectl_path(),
        "get",
        "testrun",
        name,
        "--watch",
        "--output",
        "json",
        f"--request-timeout={DEADLINE_SECONDS}s",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        decoder, text = json.JSONDecoder(), ""
        try:
            while process.stdout is not None and (line := process.stdout.readline()):
                text += line
                try:
                    item, end = decoder.raw_decode(text)
                except ValueError:
                    continue
                text = text[end:].lstrip()
                yield item
        finally:
            process.kill()


def is_finished(run: dict[str, Any]) -> bool:
    conditions = run.get("status", {}).get("conditions", [])
    return any(item["type"] == "Finished" and item["status"] == "True" for item in conditions)


def follow(name: str) -> dict[str, Any]:
    """Print each change of the phase until the run is over."""
    said = ""
    for run in watch(name):
        status = run.get("status", {})
        line = f"{status.get('phase') or 'Pending':<13} {status.get('passed', ''):>7}  {status.get('message', '')[:90]}"
        if line != said:
            console.print(f"  {line}")
            said = line
        if is_finished(run):
            return run
    console.print(f"TestRun {name} has no verdict after {DEADLINE_SECONDS} s; see: kubectl describe testrun {name}")
    raise SystemExit(1)


def show(run: dict[str, Any]) -> None:
    """Print suites, services and failures as tables."""
    status = run["status"]
    suites = Table("suite", "state", "tests", "passed", "failed", "errors", "skipped", "flaky", "seconds", box=None)
    for suite in status["suites"]:
        columns = (suite[key] for key in ("total", "passed", "failed", "errors", "skipped", "flaky"))
        suites.add_row(suite["name"], suite["state"], *map(str, columns), str(suite.get("durationSeconds", "")))
    console.print(suites)
    for component in (*status["services"], *status["applications"]):
        console.print(
            f"  {component['name']:<18} ready after {component.get('readyAfterSeconds', '-')} s  {component['image']}"
        )
    for failure in status["failures"]:
        console.print(f"  [red]{failure['outcome']}[/red] {failure['suite']} {failure['id']}", markup=True)
        console.print(f"    {failure.get('location', '')} {failure['message']}", markup=False)
    phase = status["phase"]
    console.print(f"[bold {COLOURS[phase]}]{phase}[/] {status['passed']} in {status['duration']}: {status['message']}")


def main() -> None:
    """Run the demo; the exit code says whether the run passed."""
    if len(sys.argv) != 2:  # noqa: PLR2004  (the program and its argument)
        raise SystemExit("usage: python -m hack.demo MANIFEST")
    manifest = Path(sys.argv[1])
    documents = [item for item in yaml.safe_load_all(manifest.read_text()) if item]
    name = next(item["metadata"]["name"] for item in documents if item["kind"] == "TestRun")
    console.print(f"$ kubectl apply -f {manifest}")
    kubectl("delete", "testrun", name, "--ignore-not-found")
    kubectl("apply", "-f", str(manifest))
    run = follow(name)
    show(run)
    console.print(f"More: kubectl describe testrun {name}; kubectl get testresultslices -o yaml")
    raise SystemExit(0 if run["status"]["phase"] == "Passed" else 1)


if __name__ == "__main__":
    main()
