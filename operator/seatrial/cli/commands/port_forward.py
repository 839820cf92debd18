"""`seatrial port-forward`: a port of a service or an application on this machine."""

from __future__ import annotations

import asyncio
import re
from typing import Annotated, Any

import typer

from seatrial.cli.environment import is_running, named_part, pods_of, run_kubectl
from seatrial.cli.exits import CliError, Exit
from seatrial.cli.options import Context, Kubeconfig, Namespace, RunName, Where

Target = Annotated[
    str, typer.Argument(metavar="SERVICE|APP", help="A service or an application of the run.", show_default=False)
]
Ports = Annotated[
    str, typer.Argument(metavar="[LOCAL:]PORT", help="Its port, and that of this machine.", show_default=False)
]
_PORTS = re.compile(r"(?:(\d{0,5}):)?(\d{1,5})")
MAX_PORT = 65_535


def port_forward(
    run: RunName,
    target: Target,
    ports: Ports,
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = None,
) -> None:
    """Forward a port of this machine to a service or an application of a run, through kubectl, until Ctrl-C."""
    check_ports(ports)
    where = Where(namespace, context, kubeconfig)
    pod = asyncio.run(_find(run, where, target))
    run_kubectl(where, ["port-forward", "-n", pod["metadata"]["namespace"], f"pod/{pod['metadata']['name']}", ports])


def check_ports(text: str) -> None:
    """Raise CliError for what is not PORT or LOCAL:PORT; an empty LOCAL lets kubectl choose a free one."""
    match = _PORTS.fullmatch(text)
    numbers = [int(part) for part in match.groups() if part] if match else []
    if not numbers or any(number > MAX_PORT for number in numbers) or numbers[-1] == 0:
        raise CliError(f"{text!r} is no port: write PORT or LOCAL:PORT with numbers up to {MAX_PORT}", Exit.USAGE)


async def _find(name: str, where: Where, target: str) -> dict[str, Any]:
    from seatrial.cli.cluster import connect

    async with connect(where) as cluster:
        run = await cluster.read_run(name)
        part = named_part(run.get("status") or {}, target)
        pods = [pod for pod in await pods_of(cluster, run, part) if is_running(pod)]
    if not pods:
        option = "app" if part.component == "application" else part.component
        raise CliError(f"{part} of {name} does not run; see: seatrial logs {name} --{option} {target}{where.flags}")
    return pods[0]
