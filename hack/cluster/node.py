"""The node, from inside its own namespaces: boots the components, reports progress, and stops when one of them dies.

Started by `lifecycle` as the first process of a process namespace; everything else is its descendant and dies with it.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hack.cluster import cgroups, components, config, containerd, dns, mounts, network, pki, tools
from hack.cluster.api import Api
from hack.cluster.errors import ClusterError
from hack.cluster.layout import API_PORT, CLUSTER_DOMAIN, NODE_NAME, Layout
from hack.cluster.netpol import cniplugin
from hack.cluster.processes import tail

if TYPE_CHECKING:
    from collections.abc import Callable

    from hack.cluster.components import Component

POLL_SECONDS = 0.02
WAIT_SECONDS = 120  # for one step; a busy machine is slow


class Supervisor:
    """Runs components and knows which of them has died."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._begun = time.monotonic()

    def log(self, name: str) -> Path:
        return self._layout.logs / f"{name}.log"

    def start(self, component: Component, pass_fds: tuple[int, ...] = ()) -> None:
        with self.log(component.name).open("wb") as sink:
            self._running[component.name] = subprocess.Popen(
                component.command, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT, pass_fds=pass_fds
            )

    def check(self) -> None:
        """ClusterError when a component is not running any more."""
        for name, process in self._running.items():
            if process.poll() is not None:
                raise ClusterError(self._epitaph(name, process.returncode))

    def wait_for(self, what: str, blame: str, condition: Callable[[], bool]) -> None:
        """Poll `condition`; ClusterError with the log of component `blame` when it takes too long."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not condition():
            self.check()
            if time.monotonic() > deadline:
                log = self.log(blame)
                raise ClusterError(
                    f"{what} did not come within {WAIT_SECONDS} s; the last lines of {log}:\n{tail(log)}"
                )
            time.sleep(POLL_SECONDS)

    def wait_until_one_dies(self) -> str:
        """Block until a component ends; what to tell people."""
        while True:
            # Only look (WNOWAIT): the Popen object reaps its own process.
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
            for name, process in self._running.items():
                if ended and process.pid == ended.si_pid:
                    return self._epitaph(name, process.wait())
            if ended:
                os.waitpid(ended.si_pid, 0)

    def _epitaph(self, name: str, status: int) -> str:
        how = f"was killed by signal {-status}" if status < 0 else f"exited with status {status}"
        after = time.monotonic() - self._begun
        return (
            f"{name} {how} {after:.1f} s after the start; the last lines of {self.log(name)}:\n{tail(self.log(name))}"
        )


class Node:
    """One boot of the node."""

    def __init__(self, layout: Layout, settings: dict[str, Any]) -> None:
        self._layout = layout
        self._programs = {name: Path(path) for name, path in settings["programs"].items()}
        self._archives = [Path(path) for path in settings["archives"]]
        self._listener: int = settings["listener"]
        self._report: int = settings["report"]
        self._supervisor = Supervisor(layout)
        self._begun = time.monotonic()

    def boot(self) -> None:
        """Start everything; returns when a pod has run and a name has resolved."""
        layout, supervisor, programs = self._layout, self._supervisor, self._programs
        mounts.set_up(layout)
        network.set_up()
        supervisor.start(components.outside())
        supervisor.start(components.etcd(layout, programs))
        pki.issue_all(layout.pki)
        config.write_all(layout)
        self._install_cni_plugins()
        supervisor.start(components.api_server(layout, programs))
        supervisor.start(components.containerd(layout))
        self._say("certificates issued, API server and containerd started")
        images = self._load_images()
        api = Api(API_PORT, layout.pki)
        supervisor.wait_for("an answer of the API server", "kube-apiserver", api.healthy)
        self._say("the API server answers")
        supervisor.start(components.controller_manager(layout, programs))
        supervisor.start(components.network_policy(layout))
        supervisor.start(components.kubelet(layout, programs))
        supervisor.start(components.scheduler(layout, programs))
        supervisor.start(components.kube_proxy(layout, programs))
        supervisor.start(components.api_proxy(self._listener), pass_fds=(self._listener,))
        for path, body in dns.objects():
            supervisor.wait_for(
                f"the creation of {body['kind']} {body['metadata']['name']}",
                "kube-apiserver",
                _creates(api, path, body),
            )
        images()
        supervisor.wait_for("the node's condition Ready", "kubelet", lambda: api.node_ready(NODE_NAME))
        self._say("the node is Ready")
        name = f"kubernetes.default.svc.{CLUSTER_DOMAIN}"
        supervisor.wait_for(f"an answer of the cluster's DNS for {name}", "kubelet", lambda: dns.resolves(name))
        self._say("a pod runs and DNS answers")

    def run(self) -> None:
        """Boot, then stay until a component dies."""
        try:
            self.boot()
        except ClusterError as error:
            self._send({"failed": str(error)})
            raise SystemExit(1) from None
        self._layout.ready_file.touch()
        self._send({"ready": round(time.monotonic() - self._begun, 1)})
        os.close(self._report)
        self._layout.failure.write_text(self._supervisor.wait_until_one_dies() + "\n")
        raise SystemExit(1)

    def _install_cni_plugins(self) -> None:
        directory = self._layout.state / "cni" / "bin"
        directory.mkdir()
        plugins = tools.cni_plugin_directory()
        if plugins is None:
            raise ClusterError("the CNI plugins vanished while the node was starting; run `up` again")
        for plugin in tools.CNI_PLUGINS:
            (directory / plugin).symlink_to(plugins / plugin)
        # Isolated, without what site-packages bring, Python starts faster.
        policies = directory / config.POLICY_PLUGIN
        policies.write_text(f"#!{sys.executable} -IS\n{Path(cniplugin.__file__).read_text()}")
        policies.chmod(0o755)

    def _load_images(self) -> Callable[[], None]:
        """Import the node's own images beside the start of the API server; the result waits for it."""
        problems: list[ClusterError] = []

        def work() -> None:
            try:
                self._supervisor.wait_for("containerd's socket", "containerd", self._layout.containerd_socket.exists)
                containerd.load(self._layout.containerd_socket, self._archives)
            except ClusterError as error:
                problems.append(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()

        def finish() -> None:
            thread.join()
            if problems:
                raise problems[0]

        return finish

    def _say(self, step: str) -> None:
        self._send({"step": step, "seconds": round(time.monotonic() - self._begun, 1)})

    def _send(self, message: dict[str, Any]) -> None:
        # Whoever waited for this may have gone; the node carries on.
        with suppress(BrokenPipeError):
            os.write(self._report, json.dumps(message).encode() + b"\n")


def _creates(api: Api, path: str, body: dict[str, Any]) -> Callable[[], bool]:
    """A condition that creates an object; a server that has only just started may refuse for a moment."""

    def attempt() -> bool:
        try:
            api.create(path, body)
        except (OSError, http.client.HTTPException, ClusterError):
            return False
        return True

    return attempt


def main(checkout: str, settings: str) -> None:
    """As process 1: start the node as a child and reap every orphan of the namespace, until the node ends."""
    layout = Layout(Path(checkout))
    parsed = json.loads(settings)
    cgroups.create(layout.cgroup, cgroups.hierarchies())
    child = os.fork()
    if child == 0:
        Node(layout, parsed).run()
    os.close(parsed["report"])
    os.close(parsed["listener"])
    while True:
        pid, status = os.wait()
        if pid == child:
            raise SystemExit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
