"""Command line: a real one-node Kubernetes for this checkout."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from hack.cluster import build, kind, lifecycle
from hack.cluster.errors import ClusterError
from hack.cluster.layout import Layout, this_checkout

KINDS = ("node", "kind")


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0 when it worked (`status`: when the cluster is healthy), 1 with a message otherwise."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        return _run(options, this_checkout(), with_kind=_with_kind())
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
    return 1


def _with_kind() -> bool:
    flavour = os.environ.get("CLUSTER") or "node"
    if flavour not in KINDS:
        raise ClusterError(f"CLUSTER is {flavour!r}; expected one of: {', '.join(KINDS)} (or unset, which means node)")
    return flavour == "kind"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m hack.cluster",
        description="A real one-node Kubernetes for this checkout; CLUSTER=kind uses kind (and Docker) instead.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="build what is missing, start, wait until a pod has run and a name has resolved")
    commands.add_parser("down", help="stop from any state; leaves nothing but logs")
    commands.add_parser("build", help="only build the programs")
    load = commands.add_parser("load", help="import OCI archives; skips what is there with the same digest")
    load.add_argument("archives", nargs="+", type=Path, metavar="FILE.tar")
    commands.add_parser("images", help="list the images in the node")
    commands.add_parser("status", help="how the cluster is; exit status 0 only when healthy")
    policies = commands.add_parser("policies", help="enforce network policies, or not: many a cluster does not")
    policies.add_argument("switch", choices=("on", "off"))
    path = commands.add_parser("path", help="print the path of a program, built when it is missing")
    path.add_argument("program", help="kubectl, helm, kube-apiserver, etcd, ...")
    return parser


def _run(options: argparse.Namespace, layout: Layout, *, with_kind: bool) -> int:
    healthy = True
    match options.command:
        case "up":
            kind.up(layout) if with_kind else lifecycle.up(layout)
        case "down":
            kind.down(layout) if with_kind else lifecycle.down(layout)
        case "load":
            kind.load(options.archives) if with_kind else lifecycle.load(layout, options.archives)
        case "images":
            kind.images() if with_kind else lifecycle.images(layout)
        case "status":
            healthy = kind.status(layout) if with_kind else lifecycle.status(layout)
        case "policies":
            if with_kind:
                raise ClusterError("kind's own network plugin enforces network policies and cannot be told not to")
            lifecycle.switch_policies(layout, enforced=options.switch == "on")
        case "path":
            print(kind.path(options.program) if with_kind else _built(options.program))
        case "build":
            for program, path in build.build().items():
                print(f"{program}: {path}")
        case unknown:
            raise ClusterError(f"unknown command {unknown}")
    return 0 if healthy else 1


def _built(program: str) -> Path:
    return build.build((build.module_of(program),))[program]


if __name__ == "__main__":
    sys.exit(main())
