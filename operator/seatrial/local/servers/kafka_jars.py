"""Program: fetch the jars of a pom.xml with Maven into the cache."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from seatrial.local.servers import programs
from seatrial.local.servers.cache import making


def main() -> None:
    """Raises CacheError, PrepareError."""
    parser = argparse.ArgumentParser(prog="kafka_jars", description=__doc__)
    parser.add_argument("pom", type=Path)
    parser.add_argument("entry", type=Path, help="the folder in the cache")
    parser.add_argument("maven", type=Path)
    parser.add_argument("--offline", action="store_true")
    options = parser.parse_args()
    with making(options.entry) as folder:
        if folder is None:
            return
        print(f"Fetching Apache Kafka's jars with Maven, once, into {options.entry}", flush=True)
        # Maven writes beside the pom, which may lie where nothing can be written.
        project = folder / "project"
        project.mkdir()
        shutil.copyfile(options.pom, project / "pom.xml")
        _fetch(options.maven, project, folder, offline=options.offline)
        shutil.rmtree(project)


def _fetch(maven: Path, project: Path, target: Path, *, offline: bool) -> None:
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={target}"]
    try:
        programs.run(
            [maven, "--quiet", "--batch-mode", *(["--offline"] if offline else []), *goal],
            doing="fetching Apache Kafka's jars with Maven",
            cwd=project,
        )
    except programs.PrepareError as error:
        advice = "allow the network" if offline else "see whether Maven reaches its repository (~/.m2/settings.xml)"
        raise programs.PrepareError(
            f"{error}\nWhat helps: {advice}, or unpack Apache Kafka and set KAFKA_HOME"
        ) from None


if __name__ == "__main__":
    programs.main(main)
