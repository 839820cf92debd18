"""`seatrial run FILE...`: TestRuns on this machine, or with --cluster on a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seatrial.cli.exits import CliError, Exit
from seatrial.cli.options import Context, Files, Kubeconfig, Namespace, Output, OutputFormat


def run(
    files: Files,
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
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="What stands for images; else the nearest seatrial.toml.",
            show_default=False,
        ),
    ] = None,
    cluster: Annotated[
        bool, typer.Option("--cluster", help="Apply to a cluster and follow, instead of running here.")
    ] = False,
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = None,
    output: OutputFormat = Output.TABLE,
) -> int:
    """Execute TestRuns on this machine, without a cluster: the same file, the same verdict."""
    if cluster:
        from seatrial.cli.commands.run_on_cluster import ClusterOptions, apply_and_follow
        from seatrial.cli.options import Where

        if mapping or config_maps or config:
            raise CliError(
                "--map, --configmap and --config are for runs on this machine, not with --cluster", Exit.USAGE
            )
        return apply_and_follow(
            files, ClusterOptions(Where(namespace, context, kubeconfig, cluster=True), output=output)
        )
    if namespace or context or kubeconfig:
        raise CliError("-n, --context and --kubeconfig name a cluster: add --cluster to run there", Exit.USAGE)
    from seatrial.cli.local_runs import Order, execute
    from seatrial.local.images import MappingError, find_mapping, load_mapping, parse_config_map, parse_option
    from seatrial.local.keeper import EngineKilledError, keep

    try:
        known = load_mapping(config) if config is not None else find_mapping(Path.cwd())
        for text in reversed(mapping or []):
            known = parse_option(text).plus(known)
        for text in reversed(config_maps or []):
            known = parse_config_map(text).plus(known)
    except MappingError as error:
        raise CliError(str(error), Exit.USAGE) from None
    try:
        with Order.make(files, known, output) as order:
            return keep(lambda: execute(order))
    except EngineKilledError as error:
        what = f"the engine was killed by {error}: there is no verdict, and its processes are gone; run it again"
        raise CliError(what) from None
