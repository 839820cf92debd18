"""`seatrial run FILE...`: TestRuns on this machine, or with --cluster on a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seatrial.cli.exits import CliError, Exit


def run(
    files: Annotated[list[Path], typer.Argument(help="Manifests; - is standard input.", metavar="FILE...")],
    mapping: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="IMAGE=DIR", help="The folder that stands for an image; may be given often."),
    ] = None,
    config_maps: Annotated[
        list[str] | None,
        typer.Option(
            "--configmap", metavar="NAME=DIR", help="The folder that stands for a ConfigMap; may be given often."
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="The mapping of images; else the nearest seatrial.toml.")
    ] = None,
    output: Annotated[str, typer.Option("--output", "-o", help="table or json.")] = "table",
) -> int:
    """Execute TestRuns on this machine, without a cluster: the same file, the same verdict."""
    from seatrial.cli.local_runs import Order, execute  # noqa: PLC0415  (--help imports nothing)
    from seatrial.local.images import MappingError, find_mapping, load_mapping, parse_config_map, parse_option  # noqa: PLC0415
    from seatrial.local.keeper import EngineKilledError, keep  # noqa: PLC0415

    if output not in {"table", "json"}:
        raise CliError(f"--output {output!r}: expected table or json", Exit.USAGE)
    try:
        known = load_mapping(config) if config is not None else find_mapping(Path.cwd())
        for text in reversed(mapping or []):
            known = parse_option(text).plus(known)
        for text in reversed(config_maps or []):
            known = parse_config_map(text).plus(known)
    except MappingError as error:
        raise CliError(str(error), Exit.USAGE) from None
    try:
        with Order.make(files, known, as_json=output == "json") as order:
            return keep(lambda: execute(order))
    except EngineKilledError as error:
        raise CliError(
            f"the engine was killed by {error}; its processes are gone, and there is no verdict. Run it again"
        ) from None
