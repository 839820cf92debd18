"""`python -m hack.supply sbom [NAME...] | audit PIP-AUDIT`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from hack.supply.audit import audit_all
from hack.supply.sbom import ROOT, SbomError, write


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0, or 1 with what is wrong on stderr."""
    parser = argparse.ArgumentParser(prog="python -m hack.supply", description="The supply chain.")
    commands = parser.add_subparsers(dest="command", required=True)
    sbom = commands.add_parser("sbom", help="write a CycloneDX file for each built image into dist/sbom")
    sbom.add_argument("names", metavar="NAME", nargs="*", help="default: all images")
    audit = commands.add_parser("audit", help="ask for known vulnerabilities of the locked packages")
    audit.add_argument("program", type=Path, help="path of pip-audit")
    options = parser.parse_args(arguments)
    if options.command == "audit":
        return audit_all(options.program)
    try:
        for path, count in write(options.names):
            print(f"{path.relative_to(ROOT)}: {count} packages")
    except SbomError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
