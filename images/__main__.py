"""`python3 -m images build | list | archives [NAME...]`, and `extract NAME PROGRAM FOLDER`."""

import argparse
import sys
from pathlib import Path

from images import oci
from images.build import Workshop
from images.builders import builder_for
from images.errors import ImageError
from images.settings import from_environment


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0, or 1 with one message on stderr."""
    parser = argparse.ArgumentParser(prog="python3 -m images", description="Build Seatrial's container images.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in {
        "build": "build what has changed, and print the path of each archive",
        "list": "print reference, size and state of each image",
        "archives": "print the path of each archive; fails when one is not built",
    }.items():
        command = commands.add_parser(name, help=text)
        command.add_argument("names", metavar="NAME", nargs="*", help="default: all images")
    command = commands.add_parser("extract", help="copy a program out of an archive into a folder, and print its path")
    command.add_argument("name", metavar="NAME", help="of the image")
    command.add_argument("program", metavar="PROGRAM", help="in the image, such as influxd")
    command.add_argument("folder", metavar="FOLDER", type=Path, help="made when it is not there")
    chosen = parser.parse_args(arguments)
    try:
        settings = from_environment()
        workshop = Workshop(settings, builder_for(settings), lambda line: print(line, file=sys.stderr, flush=True))
        if chosen.command == "build":
            lines = [str(archive.path) for archive in workshop.build(chosen.names)]
        elif chosen.command == "list":
            lines = table(workshop, chosen.names)
        elif chosen.command == "extract":
            lines = [str(extract(workshop, chosen.name, chosen.program, chosen.folder))]
        else:
            lines = paths(workshop, chosen.names)
    except ImageError as error:
        print(f"images: {error}", file=sys.stderr)
        return 1
    print("\n".join(lines))
    return 0


def table(workshop: Workshop, names: list[str]) -> list[str]:
    rows = [("IMAGE", "SIZE", "ARCHIVE")]
    for archive in workshop.archives(names):
        if archive.exists:
            rows.append((archive.reference, f"{archive.bytes / 1e6:.0f} MB", str(archive.path)))
        else:
            rows.append((archive.reference, "-", f"not built: python3 -m images build {archive.name}"))
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return [f"{row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]}" for row in rows]


def paths(workshop: Workshop, names: list[str]) -> list[str]:
    archives = workshop.archives(names)
    missing = " ".join(archive.name for archive in archives if not archive.exists)
    if missing:
        raise ImageError(f"not built yet, or out of date: {missing}. Run: python3 -m images build {missing}")
    return [str(archive.path) for archive in archives]


def extract(workshop: Workshop, name: str, program: str, folder: Path) -> Path:
    """Copy one program of an image that was built. Raises ImageError."""
    (archive,) = paths(workshop, [name])
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / program
    oci.extract(Path(archive), program, target)
    return target


if __name__ == "__main__":
    sys.exit(main())
