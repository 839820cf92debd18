"""`python -m hack.chart [--check] [--manifest]`: write what of the chart is generated, or check that it is there."""

from __future__ import annotations

import argparse
import subprocess
import sys
from typing import TYPE_CHECKING

from hack.chart.generate import ROOT, ChartError, files
from hack.chart.manifest import INSTALL, manifest
from hack.cluster.build import build, module_of

if TYPE_CHECKING:
    from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 1 when `--check` finds a file that is out of date, or when something cannot be generated."""
    parser = argparse.ArgumentParser(prog="python -m hack.chart")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is out of date")
    parser.add_argument("--manifest", action="store_true", help="install.yaml too, for which Helm is built")
    options = parser.parse_args(arguments)
    try:
        stale = _settle(files(), check=options.check)
        # Helm checks the values by the schema: first comes that one.
        if options.manifest and not (options.check and stale):
            stale += _settle({INSTALL: manifest(build((module_of("helm"),))["helm"])}, check=options.check)
    except ChartError as error:
        print(error, file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"Helm cannot render the chart: {error.stderr.strip()}", file=sys.stderr)
        return 1
    return 1 if options.check and stale else 0


def _settle(wanted: dict[Path, str], *, check: bool) -> list[Path]:
    """Write what is out of date, or say that it is."""
    stale = [path for path, text in wanted.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        name = path.relative_to(ROOT)
        if check:
            print(f"{name} does not follow from the chart: run `make chart`", file=sys.stderr)
        else:
            path.write_text(wanted[path], encoding="utf-8")
            print(f"wrote {name}")
    return stale


if __name__ == "__main__":
    sys.exit(main())
