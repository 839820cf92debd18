"""`python -m hack.chart [--check] [--manifest]`: write what of the chart is generated, or check that it is there."""

from __future__ import annotations

import argparse
import subprocess
import sys

from hack.chart.generate import ROOT, ChartError, files
from hack.chart.manifest import INSTALL, manifest
from hack.cluster.build import build, module_of


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 1 when `--check` finds a file that is out of date, or when something cannot be generated."""
    parser = argparse.ArgumentParser(prog="python -m hack.chart")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is out of date")
    parser.add_argument("--manifest", action="store_true", help="install.yaml too, for which Helm is built")
    options = parser.parse_args(arguments)
    try:
        wanted = files()
        if options.manifest:
            wanted[INSTALL] = manifest(build((module_of("helm"),))["helm"])
    except ChartError as error:
        print(error, file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"Helm cannot render the chart: {error.stderr.strip()}", file=sys.stderr)
        return 1
    stale = [path for path, text in wanted.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        name = path.relative_to(ROOT)
        if options.check:
            print(f"{name} does not follow from the chart: run `make chart`", file=sys.stderr)
        else:
            path.write_text(wanted[path], encoding="utf-8")
            print(f"wrote {name}")
    return 1 if options.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
