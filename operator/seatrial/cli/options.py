"""The options that commands share, spelt as kubectl spells them. Imports typer alone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from seatrial.cli.completion import complete_run

RunName = Annotated[
    str, typer.Argument(metavar="RUN", help="Name of the TestRun.", show_default=False, autocompletion=complete_run)
]
Namespace = Annotated[
    str,
    typer.Option(
        "-n",
        "--namespace",
        metavar="NAME",
        help="Namespace of the TestRun; the context's when absent.",
        show_default=False,
    ),
]
AllNamespaces = Annotated[bool, typer.Option("-A", "--all-namespaces", help="The TestRuns of all namespaces.")]
Context = Annotated[
    str, typer.Option("--context", metavar="NAME", help="Context of the kubeconfig.", show_default=False)
]
Kubeconfig = Annotated[
    Path | None,
    typer.Option("--kubeconfig", metavar="FILE", help="The kubeconfig; $KUBECONFIG when absent.", show_default=False),
]
InCluster = Annotated[bool, typer.Option("--cluster", help="Look in the cluster only, not among the local runs.")]
Selector = Annotated[
    str, typer.Option("-l", "--selector", metavar="LABELS", help="Label selector, as kubectl's.", show_default=False)
]
Yes = Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")]
Timeout = Annotated[
    str,
    typer.Option("--timeout", metavar="DURATION", help="Wait no longer than this, such as 30m.", show_default=False),
]
SuiteName = Annotated[str, typer.Option("--suite", metavar="NAME", help="The suite of that name.", show_default=False)]
ServiceName = Annotated[
    str, typer.Option("--service", metavar="NAME", help="The service of that name.", show_default=False)
]
AppName = Annotated[
    str, typer.Option("--app", metavar="NAME", help="The application of that name.", show_default=False)
]
Failed = Annotated[bool, typer.Option("--failed", help="Only the tests that failed or had an error.")]
Force = Annotated[bool, typer.Option("--force", help="Replace files that are there.")]
Files = Annotated[
    list[Path], typer.Argument(metavar="FILE", help="Manifests; - is standard input.", show_default=False)
]


class Output(StrEnum):
    """Formats that every command with an answer has."""

    TABLE = "table"
    JSON = "json"


OutputFormat = Annotated[Output, typer.Option("-o", "--output", help="Format of standard output.")]


@dataclass(frozen=True)
class Where:
    """Where a run is looked for: what the options say of the cluster."""

    namespace: str = ""
    context: str = ""
    kubeconfig: Path | None = None
    cluster: bool = False

    @property
    def explicit(self) -> bool:
        """Whether a cluster is asked for; if not, a local run of that name comes first."""
        return self.cluster or bool(self.namespace or self.context or self.kubeconfig)

    @property
    def flags(self) -> str:
        """The same options as text, for a next command that a message tells. Begins with a space, or is empty."""
        return self.cluster_flags + (f" -n {self.namespace}" if self.namespace else "")

    @property
    def cluster_flags(self) -> str:
        """Those that name the cluster alone."""
        named = (("--kubeconfig", self.kubeconfig), ("--context", self.context))
        return "".join(f" {flag} {value}" for flag, value in named if value)
