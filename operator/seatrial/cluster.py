"""What runs ask of Kubernetes, as a small Protocol: the seam at which tests and other engines take its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from seatrial.naming import RunId

Object = dict[str, Any]


class Cluster(Protocol):
    """What runs are made of. Every call can be repeated; each raises a ClusterError that says what was refused."""

    async def apply(self, item: Object) -> None:
        """Make an object be as described (server-side apply)."""

    async def create_once(self, item: Object) -> None:
        """Create an object, or accept the one of the same run that is there."""

    async def read(self, kind: str, namespace: str, name: str) -> Object:
        """Read a ConfigMap or Secret."""

    async def delete_environment(self, namespace: str) -> None:
        """Delete the pods at once and the namespace with everything in it; does not wait."""

    async def delete_suites(self, namespace: str) -> None:
        """Stop the suites at once and leave the rest of the environment."""

    async def read_run(self, run: RunId) -> Object:
        """The TestRun of this name as it is now; it may have another uid."""

    async def patch_status(self, run: RunId, patch: Object, version: str) -> str:
        """Merge into the status of the TestRun that has this resourceVersion; returns the new one.

        Raises ConflictError when it has another.
        """

    async def touch_run(self, run: RunId) -> None:
        """Change an annotation of the TestRun, if it is still there, so that watches tell of it again."""

    async def read_environment(self, namespace: str) -> tuple[Object | None, list[Object], list[Object]]:
        """A run's namespace, pods and Jobs as they are now, while watches may lag behind."""

    async def list_slices(self, run: RunId) -> list[Object]:
        """The run's TestResultSlices."""

    async def list_refusals(self, namespace: str) -> dict[str, str]:
        """Name of a Job or ReplicaSet -> why its controller could not create a pod."""

    async def record_event(self, run: RunId, *, warning: bool, reason: str, message: str, at: str) -> None:
        """Post an Event about the TestRun."""

    async def record_own_event(
        self, namespace: str, name: str, *, warning: bool, reason: str, message: str, at: str
    ) -> None:
        """Post an Event about the operator's Deployment, which is in `namespace`."""

    async def list_environments(self) -> list[Object]:
        """Every namespace that belongs to a run."""

    async def list_run_uids(self) -> set[str]:
        """The uids of all TestRuns."""

    async def list_unfinished_runs(self) -> list[Object]:
        """The TestRuns that have no verdict."""

    def follow_log(self, namespace: str, pod: str, container: str) -> AsyncIterator[bytes]:
        """The lines of a container's log from its start until it ends. Raises ClusterError while there is none."""

    def read_log(self, namespace: str, pod: str, container: str) -> AsyncIterator[bytes]:
        """The lines that a container's log has at this moment. Raises ClusterError when there is none."""

    async def tail_log(self, namespace: str, pod: str, container: str, lines: int, *, previous: bool = False) -> str:
        """The last lines of a container's log, or of the container that it has replaced."""


class World(Protocol):
    """The watched objects, as they are now."""

    def pods(self, uid: str) -> Iterable[Object]:
        """The pods of a run."""

    def jobs(self, uid: str) -> Iterable[Object]:
        """The Jobs of a run."""

    def namespace(self, name: str) -> Object | None:
        """A run's namespace."""
