"""The nodes, the pods that are bound to them, and the API that serves their logs, as one context manager."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
from collections import defaultdict
from typing import TYPE_CHECKING, Any, TypeVar

from aiohttp import web

from hack.kubelet.client import CONNECTIONS, Api, ApiError
from hack.kubelet.logs import application
from hack.kubelet.network import connector, listen
from hack.kubelet.nodes import TAINT, Nodes
from hack.kubelet.pods import Pod
from hack.kubelet.roles import Scene, play
from hack.kubelet.script import Script, ScriptError, script_of
from hack.kubelet.serving import serving_context

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from hack.kubelet.client import Object

logger = logging.getLogger(__name__)

T = TypeVar("T")
PODS = "/api/v1/pods"
WAIT_SECONDS = 30.0
POD_ADDRESSES = ipaddress.ip_network("10.245.0.0/16")
"""Nobody can reach them: there are no containers."""


class StandIn:
    """Plays the kubelet for every pod that is bound to its nodes.

    All other nodes are cordoned meanwhile. With `cordon_others=False` they are left alone, and only pods that tolerate
    `nodes.TAINT` and select this stand-in by its name in `nodes.LABEL` are played: another's nodes carry the label too.
    """

    def __init__(
        self,
        kubeconfig: Path,
        *,
        name: str = "stand-in",
        nodes: int = 1,
        pods_per_node: int = 2000,
        script: Callable[[Object], Script | None] | None = None,
        cordon_others: bool = True,
    ) -> None:
        self.nodes = [f"{name}-{number}" for number in range(nodes)]
        self.pods: dict[tuple[str, str], Pod] = {}
        """What is played now, by namespace and name."""
        self.started: list[tuple[str, str]] = []
        """Every pod that was ever taken up, in order."""
        self._name = name
        self._kubeconfig = kubeconfig
        self._pods_per_node = pods_per_node
        self._script = script or (lambda _: None)
        self._cordon = cordon_others
        self._by_uid: dict[str, Pod] = {}
        self._scenes: dict[str, Scene] = defaultdict(Scene)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        """By uid of the pod."""
        self._background: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Condition()
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _start(self) -> None:
        address, listener = listen(self._kubeconfig)
        self._stack.callback(listener.close)
        self._api = await self._stack.enter_async_context(Api(self._kubeconfig, connector(CONNECTIONS)))
        watches = await self._stack.enter_async_context(Api(self._kubeconfig, connector(0)))
        nodes = Nodes(self._api, self._name, self.nodes, self._pods_per_node, [] if self._cordon else [TAINT])
        context = await serving_context(self._api, self.nodes[0], address)
        runner = web.AppRunner(application(lambda *key: self.pods.get(key)), access_log=None, shutdown_timeout=1)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        await web.SockSite(runner, listener, ssl_context=context).start()
        self._stack.push_async_callback(self._stop)
        if self._cordon:
            self._stack.push_async_callback(nodes.uncordon_others)
            await nodes.cordon_others()
        self._stack.push_async_callback(nodes.remove)
        await nodes.register(address, listener.getsockname()[1])
        self._spawn(nodes.renew())
        for name in self.nodes:
            self._spawn(self._watch(watches, name))

    async def _stop(self) -> None:
        """End every task; the pods of the nodes, which are gone by now, are deleted."""
        tasks = [*self._background, *self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for pod in self.pods.values():
            pod.close()
        await asyncio.gather(*(self._delete(pod) for pod in self.pods.values()))

    async def pod(self, namespace: str, name: str) -> Pod:
        """Wait until a pod is played. Raises TimeoutError that says what is there."""
        return await self._find(f"pod {namespace}/{name}", lambda pod: (pod.namespace, pod.name) == (namespace, name))

    async def pod_of(self, namespace: str, component: str, name: str, shard: int = 0) -> Pod:
        """Wait until a pod of a run is played: of a service, an application, the environment or a suite."""
        wanted = (namespace, component, name, shard)
        return await self._find(
            f"{component} {name}, shard {shard}, in {namespace}",
            lambda pod: (pod.namespace, pod.component, pod.role, pod.shard) == wanted,
        )

    async def gone(self, namespace: str, name: str) -> None:
        """Wait until a pod is not played any more. Raises TimeoutError."""
        await self._until(f"the end of pod {namespace}/{name}", lambda: (namespace, name) not in self.pods)

    async def _find(self, what: str, matches: Callable[[Pod], bool]) -> Pod:
        def found() -> Pod | None:
            return next((pod for pod in self.pods.values() if matches(pod)), None)

        return await self._until(what, found)

    async def _until(self, what: str, condition: Callable[[], T | None]) -> T:
        try:
            async with asyncio.timeout(WAIT_SECONDS), self._changed:
                while not (found := condition()):
                    await self._changed.wait()
                return found
        except TimeoutError:
            there = ", ".join(f"{namespace}/{name}" for namespace, name in self.pods) or "no pods at all"
            raise TimeoutError(f"{what} did not come within {WAIT_SECONDS:g} s; there are {there}") from None

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.error("the stand-in: %s", error, exc_info=error)

    async def _watch(self, api: Api, node: str) -> None:
        async for kind, item in api.watch(PODS, {"fieldSelector": f"spec.nodeName={node}"}):
            if kind == "LISTED":
                here = {pod["metadata"]["uid"] for pod in item}
                for pod in [pod for pod in self.pods.values() if pod.body["spec"]["nodeName"] == node]:
                    if pod.uid not in here:
                        await self._forget(pod.uid)
                for pod in item:
                    await self._see(pod)
            elif kind == "DELETED":
                await self._forget(item["metadata"]["uid"])
            else:
                await self._see(item)

    async def _see(self, body: Object) -> None:
        """Take up a pod that is new; end one that is being deleted."""
        metadata = body["metadata"]
        key = metadata["namespace"], metadata["name"]
        pod = self.pods.get(key)
        if pod is not None and pod.uid != metadata["uid"]:
            await self._forget(pod.uid)
            pod = None
        if pod is None:
            pod = self._take_up(body)
            await self._notify()
        if "deletionTimestamp" in metadata and not pod.deleted:
            pod.close()
            self._cancel(pod)
            self._spawn(self._delete(pod))

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _take_up(self, body: Object) -> Pod:
        """Begin to play a pod; one that an earlier stand-in has begun starts anew."""
        key = body["metadata"]["namespace"], body["metadata"]["name"]
        try:
            script = self._script(body) or script_of(body) or Script()
            problem = None
        except ScriptError as error:
            script, problem = Script(), str(error)
        address = str(POD_ADDRESSES[1 + len(self.started) % (POD_ADDRESSES.num_addresses - 2)])
        pod = Pod(body, self._api, script, address)
        self.pods[key] = pod
        self._by_uid[pod.uid] = pod
        self._scenes[pod.namespace].pods += 1
        self.started.append(key)
        work = pod.wait_with("CreateContainerConfigError", problem) if problem else self._play(pod)
        if "deletionTimestamp" not in body["metadata"]:
            self._tasks[pod.uid] = self._spawn(work)
        else:
            work.close()
        return pod

    async def _play(self, pod: Pod) -> None:
        await play(pod, self._scenes[pod.namespace], self._api)

    def _cancel(self, pod: Pod) -> None:
        if task := self._tasks.pop(pod.uid, None):
            task.cancel()

    async def _delete(self, pod: Pod) -> None:
        path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}"
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0}
        try:
            await self._api.call("DELETE", path, options | {"preconditions": {"uid": pod.uid}})
        except ApiError as error:
            if error.status not in {404, 409}:
                raise

    async def _forget(self, uid: str) -> None:
        """A pod is gone."""
        pod = self._by_uid.pop(uid, None)
        if pod is None:
            return
        self._cancel(pod)
        pod.close()
        del self.pods[pod.namespace, pod.name]
        scene = self._scenes[pod.namespace]
        scene.pods -= 1
        if not scene.pods:
            del self._scenes[pod.namespace]
        await self._notify()
