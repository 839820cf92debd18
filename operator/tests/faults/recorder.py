"""Everything that happens to TestRuns and to what belongs to them, as the API server tells it past every proxy."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from seatrial.naming import RUN_UID_LABEL

from .api import ApiError, Object

if TYPE_CHECKING:
    from collections.abc import Callable

    from .api import Api

OF_RUNS = {
    "Namespace": "/api/v1/namespaces",
    "Pod": "/api/v1/pods",
    "Service": "/api/v1/services",
    "ConfigMap": "/api/v1/configmaps",
    "Secret": "/api/v1/secrets",
    "ServiceAccount": "/api/v1/serviceaccounts",
    "LimitRange": "/api/v1/limitranges",
    "ResourceQuota": "/api/v1/resourcequotas",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/networkpolicies",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/rolebindings",
    "Deployment": "/apis/apps/v1/deployments",
    "Job": "/apis/batch/v1/jobs",
    "TestResultSlice": "/apis/seatrial.dev/v1alpha1/testresultslices",
}
"""Everything that can carry a run's uid as a label."""
TESTRUNS = "/apis/seatrial.dev/v1alpha1/testruns"
EVENTS = "/apis/events.k8s.io/v1/events"


@dataclass
class Seen:
    """One object, from its creation to its end."""

    kind: str
    namespace: str
    name: str
    uid: str
    history: list[Object] = field(default_factory=list)
    """Each state that it had; of what is no TestRun and no slice only the first and the last."""
    deleted: bool = False

    @property
    def last(self) -> Object:
        return self.history[-1]

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


class Recorder:
    """Watches the whole cluster; a run is asked for by its uid."""

    def __init__(self, api: Api) -> None:
        self.testruns: dict[str, Seen] = {}
        """By uid."""
        self._objects: defaultdict[str, dict[str, Seen]] = defaultdict(dict)
        """Uid of a run -> uid of an object -> the object."""
        self._events: defaultdict[str, list[Object]] = defaultdict(list)
        self._api = api
        self._changed = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        for kind, path in {"TestRun": TESTRUNS, "Event": EVENTS, **OF_RUNS}.items():
            selector = RUN_UID_LABEL if kind in OF_RUNS else ""
            answer = await self._api.call("GET", path, labelSelector=selector)
            for item in answer["items"]:
                self._take(kind, "ADDED", item)
            version = str(answer["metadata"]["resourceVersion"])
            self._tasks.append(asyncio.create_task(self._watch(kind, path, selector, version)))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def objects(self, uid: str, kind: str = "") -> list[Seen]:
        """What has ever belonged to a run, in the order of its creation."""
        return [seen for seen in self._objects[uid].values() if kind in {"", seen.kind}]

    def events(self, uid: str) -> list[Object]:
        """The Events about a TestRun."""
        return self._events[uid]

    def forget(self, uid: str) -> None:
        """Free the memory of a run that has been looked into."""
        self.testruns.pop(uid, None)
        self._objects.pop(uid, None)
        self._events.pop(uid, None)

    async def until(self, what: str, probe: Callable[[], Any], seconds: float) -> Any:
        """The first true answer of a probe, which is asked again whenever something has changed."""
        answer: Any = None
        try:
            async with asyncio.timeout(seconds), self._changed:
                while not (answer := probe()):
                    await self._changed.wait()
        except TimeoutError:
            dead = [f"; the record has ended: {task.exception()!r}" for task in self._tasks if task.done()]
            said = f"{what}: not so after {seconds:g} s; last seen: {answer!r}{''.join(dead)}"
            raise AssertionError(said) from None
        return answer

    async def _watch(self, kind: str, path: str, selector: str, version: str) -> None:
        while True:
            # A fault of the whole control plane cuts these watches as well; they go on where they were.
            with contextlib.suppress(ApiError, OSError, TimeoutError):
                async for event in self._api.watch(path, version, selector):
                    assert event["type"] != "ERROR", f"the record of {kind} has a gap: {event['object']}"
                    version = event["object"]["metadata"]["resourceVersion"]
                    self._take(kind, event["type"], event["object"])
                    async with self._changed:
                        self._changed.notify_all()

    def _take(self, kind: str, event: str, item: Object) -> None:
        metadata = item["metadata"]
        metadata.pop("managedFields", None)
        if kind == "Event":
            regarding = item.get("regarding") or {}
            if regarding.get("kind") == "TestRun" and event == "ADDED":
                self._events[regarding["uid"]].append(item)
            return
        uid, namespace = metadata["uid"], metadata.get("namespace", "")
        group = self.testruns if kind == "TestRun" else self._objects[metadata["labels"][RUN_UID_LABEL]]
        seen = group.setdefault(uid, Seen(kind, namespace, metadata["name"], uid))
        if kind not in {"TestRun", "TestResultSlice"}:
            del seen.history[1:]
        seen.history.append(item)
        seen.deleted = seen.deleted or event == "DELETED"
