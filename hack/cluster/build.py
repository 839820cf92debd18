"""Building Kubernetes, etcd, CoreDNS and Helm from their Go modules, once per set of inputs."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from hack.cluster import locking
from hack.cluster.errors import ClusterError
from hack.cluster.layout import cache_directory
from hack.cluster.processes import run, tail

SOURCES = Path(__file__).parent / "go"
HEARTBEAT_SECONDS = 30


@dataclass(frozen=True)
class GoModule:
    """A module of ours that only pins one upstream module and names the programs to build from it."""

    name: str
    upstream: str  # the module whose version is stamped into the programs
    programs: dict[str, str]  # program -> Go package
    stamps: tuple[str, ...] = ()  # -X definitions with {version}, {major}, {minor}
    folder: Path = SOURCES  # which holds the module, in a folder of its name

    @property
    def sources(self) -> Path:
        return self.folder / self.name

    def version(self) -> str:
        found = re.search(
            rf"^\s*(?:require )?{re.escape(self.upstream)} (v\S+)", (self.sources / "go.mod").read_text(), re.MULTILINE
        )
        if found is None:
            raise ClusterError(f"{self.sources / 'go.mod'} does not require {self.upstream}")
        return found.group(1)

    def flags(self) -> list[str]:
        """Flags for `go build`; unstamped Kubernetes programs report v0.0.0, which breaks every version comparison."""
        version = self.version()
        major, minor, _ = version.removeprefix("v").split(".", 2)
        values = [f"-X {stamp.format(version=version, major=major, minor=minor)}" for stamp in self.stamps]
        return ["-trimpath", "-buildvcs=false", "-mod=readonly", "-ldflags", " ".join(["-s -w", *values])]


def _kubernetes_stamps() -> tuple[str, ...]:
    values = (
        "gitVersion={version}",
        "gitMajor={major}",
        "gitMinor={minor}",
        "gitTreeState=archive",
        "gitCommit=unknown",
    )
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return tuple(f"{p}.{v}" for p in packages for v in (*values, "buildDate=1970-01-01T00:00:00Z"))


KUBERNETES_PROGRAMS = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubectl",
)

MODULES = (
    GoModule("etcd", "go.etcd.io/etcd/server/v3", {"etcd": "go.etcd.io/etcd/server/v3"}),
    GoModule(
        "kubernetes",
        "k8s.io/kubernetes",
        {program: f"k8s.io/kubernetes/cmd/{program}" for program in KUBERNETES_PROGRAMS},
        _kubernetes_stamps(),
    ),
    GoModule("coredns", "github.com/coredns/coredns", {"coredns": "."}),
    GoModule(
        "helm",
        "helm.sh/helm/v4",
        {"helm": "helm.sh/helm/v4/cmd/helm"},
        ("helm.sh/helm/v4/internal/version.version={version}",),
    ),
)
NODE_MODULES = tuple(module for module in MODULES if module.name != "helm")


def module_of(program: str) -> GoModule:
    for module in MODULES:
        if program in module.programs:
            return module
    known = ", ".join(sorted(program for module in MODULES for program in module.programs))
    raise ClusterError(f"no program named {program!r} is built here; there are: {known}")


def build(modules: tuple[GoModule, ...] = MODULES) -> dict[str, Path]:
    """Build what is not in the cache; the path of every program of `modules`."""
    toolchain = _toolchain()
    return {
        program: directory / program
        for module in modules
        for directory in (_build_module(module, toolchain),)
        for program in module.programs
    }


def _toolchain() -> str:
    if shutil.which("go") is None:
        raise ClusterError(
            "the programs of the cluster are built with Go, but no `go` was found in PATH: install Go 1.26"
        )
    return run(["go", "env", "GOVERSION", "GOOS", "GOARCH"])


def inputs_digest(module: GoModule, toolchain: str) -> str:
    """12 hex digits over everything that decides what the programs are."""
    digest = hashlib.sha256()
    for path in sorted(module.sources.iterdir()):
        if path.name in ("go.mod", "go.sum") or path.suffix == ".go":
            content = path.read_bytes()
            digest.update(f"{path.name} {len(content)}\n".encode() + content)
    digest.update(repr((toolchain, sorted(module.programs.items()), module.flags())).encode())
    return digest.hexdigest()[:12]


def _build_module(module: GoModule, toolchain: str) -> Path:
    binaries = cache_directory() / "bin"
    target = binaries / f"{module.name}-{inputs_digest(module, toolchain)}"
    if target.is_dir():
        return target
    with locking.exclusive(
        binaries / f"{module.name}.lock", lambda: _say(f"waiting: another build of {module.name} runs")
    ):
        if target.is_dir():
            return target
        scratch = Path(tempfile.mkdtemp(prefix=f"{module.name}-building-", dir=binaries))
        try:
            _compile(module, scratch)
            scratch.chmod(0o755)
            scratch.rename(target)
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise
    return target


def _compile(module: GoModule, directory: Path) -> None:
    names = list(module.programs)
    output = directory / names[0] if len(names) == 1 else f"{directory}/"
    command = ["go", "build", *module.flags(), "-o", str(output), *module.programs.values()]
    environment = os.environ | {"GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
    log = directory / "build.log"
    begun = time.monotonic()
    _say(f"building {module.name} {module.version()} ({', '.join(names)})")
    with log.open("w") as sink:
        process = subprocess.Popen(
            command,
            cwd=module.sources,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
        try:
            while process.returncode is None:
                try:
                    process.wait(HEARTBEAT_SECONDS)
                except subprocess.TimeoutExpired:
                    _say(f"  still building {module.name}: {time.monotonic() - begun:.0f} s")
        finally:
            process.kill()  # only if the wait was interrupted; otherwise it has ended
            process.wait()
    if process.returncode:
        raise ClusterError(
            f"`go build` of {module.name} in {module.sources} exited with status {process.returncode}:\n{tail(log)}"
        )
    log.unlink()
    _say(f"built {module.name} in {time.monotonic() - begun:.0f} s")


def _say(message: str) -> None:
    """Progress goes to standard error: standard output may be the path of a program."""
    print(message, file=sys.stderr, flush=True)
