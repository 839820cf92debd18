"""`seatrial shell`: a shell inside the environment of a run."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated, Any

import typer

from seatrial.cli.environment import Part, environment_of, is_running, part_of, pods_of, run_kubectl
from seatrial.cli.exits import CliError
from seatrial.cli.options import AppName, Context, Kubeconfig, Namespace, RunName, ServiceName, SuiteName, Where

Object = dict[str, Any]

Command = Annotated[
    list[str] | None,
    typer.Argument(metavar="COMMAND", help="What to run, after `--`; a shell when absent.", show_default=False),
]
SHELL = ("/bin/sh", "-c", "command -v bash >/dev/null 2>&1 && exec bash || exec sh")


def shell(
    run: RunName,
    command: Command = None,
    suite: SuiteName = "",
    service: ServiceName = "",
    app: AppName = "",
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = None,
) -> None:
    """Open a shell in the environment of a run, or run a command there, through kubectl.

    Without an option it is the pod of a suite while one runs, else that of the first application, else of the first
    service. Suites and applications have the connection variables of the run.
    """
    where = Where(namespace, context, kubeconfig)
    pod = asyncio.run(_choose(run, where, part_of(suite, service, app, None)))
    terminal = ["-i", "-t"] if sys.stdin.isatty() and sys.stdout.isatty() else ["-i"]
    container = pod["spec"]["containers"][0]["name"]
    place = ["-n", pod["metadata"]["namespace"], pod["metadata"]["name"], "-c", container]
    run_kubectl(where, ["exec", *terminal, *place, "--", *(command or SHELL)])


async def _choose(name: str, where: Where, part: Part | None) -> Object:
    from seatrial.cli.cluster import connect

    async with connect(where) as cluster:
        run = await cluster.read_run(name)
        namespace = environment_of(run, where.flags)
        candidates = [part] if part is not None else [Part("suite"), Part("application"), Part("service")]
        for candidate in candidates:
            try:
                pods = await pods_of(cluster, run, candidate)
            except CliError:
                if part is not None:
                    raise
                continue
            running = next((pod for pod in pods if is_running(pod)), None)
            if running is not None:
                return running
        what = str(part) if part is not None else "environment"
        raise CliError(
            f"no container of the {what} of {name} runs in namespace {namespace}: suites end with their tests; "
            f"see: seatrial logs {name}{where.flags}"
        )
