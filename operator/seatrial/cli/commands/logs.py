"""`seatrial logs`: what a suite, a service, an application or a test has printed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from seatrial.cli.environment import part_of
from seatrial.cli.exits import CliError, Exit
from seatrial.cli.options import (
    AppName,
    Context,
    InCluster,
    Kubeconfig,
    Namespace,
    RunName,
    ServiceName,
    SuiteName,
    Where,
)

if TYPE_CHECKING:
    from seatrial.cli.environment import Part

Shard = Annotated[int | None, typer.Option("--shard", metavar="N", min=0, help="One shard of it.", show_default=False)]
TestId = Annotated[
    str, typer.Option("--test", metavar="NODEID", help="What a test has said: its failures.", show_default=False)
]
Follow = Annotated[bool, typer.Option("-f", "--follow", help="Go on with what is to come, until it ends.")]


def logs(
    run: RunName,
    suite: SuiteName = "",
    shard: Shard = None,
    service: ServiceName = "",
    app: AppName = "",
    test: TestId = "",
    follow: Follow = False,
    cluster: InCluster = False,
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = None,
) -> int:
    """Print the log of a part of a run; without an option that of all its suites.

    A cluster has the logs of pods as long as the environment is there. What tests said when they failed stays with the
    results: --test prints it.
    """
    where = Where(namespace, context, kubeconfig, cluster)
    part = part_of(suite, service, app, shard)
    if test:
        if service or app or follow:
            raise CliError("--test prints what is in the results: leave out --service, --app and --follow", Exit.USAGE)
        _print_test(run, where, test, suite, shard)
    else:
        _print_logs(run, where, part, follow=follow)
    return Exit.PASSED


def _print_test(name: str, where: Where, test: str, suite: str, shard: int | None) -> None:
    from seatrial.cli.attempts_log import attempts_log
    from seatrial.cli.runs import load_record

    print("\n".join(attempts_log(load_record(name, where), test, suite, shard)))


def _print_logs(name: str, where: Where, part: Part | None, *, follow: bool) -> None:
    from seatrial.cli.environment import Part
    from seatrial.cli.records import run_folder

    part = part or Part("suite")
    if not where.explicit and (folder := run_folder(name)) is not None:
        from seatrial.cli.local_logs import print_local_logs

        print_local_logs(folder, part, follow=follow)
        return
    from seatrial.cli.pod_logs import print_pod_logs

    asyncio.run(print_pod_logs(name, where, part, follow=follow))
