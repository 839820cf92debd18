"""The order of things: services at once, then applications at once, then the gate."""

from __future__ import annotations

import asyncio
from asyncio import wrap_future
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seatrial.agent.environment.applications import application_attempt
from seatrial.agent.environment.attempts import ATTEMPT_SECONDS, DeadlineError, until_success
from seatrial.agent.environment.checks import in_start_order, load
from seatrial.agent.environment.outcomes import EnvironmentFailedError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping

    from seatrial.agent.environment.attempts import Attempt
    from seatrial.agent.environment.checks import Check
    from seatrial.agent.environment.events import Events
    from seatrial.agent.environment.input import Environment


@dataclass(frozen=True)
class _Goal:
    """What is waited for; kind, name and reason are those of the events."""

    kind: str
    name: str
    reason: str
    problem: str
    """What it means when it is not reached."""


class Provision:
    """One run's environment. `start` is the event loop's time at which the deadline began to count."""

    def __init__(self, environment: Environment, variables: Mapping[str, str], events: Events, start: float) -> None:
        self._environment = environment
        self._variables = variables
        self._events = events
        self._deadline = start + environment.deadline_seconds

    async def run(self) -> None:
        """Return when everything can be used. Raises EnvironmentFailedError, and InputError."""
        # Imports take longer than a healthy server needs to answer, so they must not hold up the event loop. One
        # thread, since there is one interpreter: what is submitted first can be used first.
        importer = ThreadPoolExecutor(1)
        services = in_start_order(self._environment.services)
        checks = [(service.name, importer.submit(load, service, self._variables)) for service in services]
        applications = self._environment.applications
        attempts = [
            (application.name, importer.submit(application_attempt, application)) for application in applications
        ]
        importer.shutdown(wait=False)
        await _all_or_first_failure(self._service(name, wrap_future(check)) for name, check in checks)
        self._events.emit("servicesReady")
        await _all_or_first_failure(self._application(name, wrap_future(attempt)) for name, attempt in attempts)

    async def _service(self, name: str, loaded: Awaitable[Check]) -> None:
        check = await loaded
        ready = _Goal("service", name, "ServiceNotReady", f"{name} is not ready: expected {check.expected}")
        seeded = _Goal("service", name, "SeedFailed", f"{name} is ready but not seeded")
        try:
            await self._reach(ready, check.attempt)
            self._events.ready(ready.kind, name)
            # No limit but the deadline: initialisation SQL may take as long as it likes.
            await self._reach(seeded, check.seed, attempt_seconds=None, doing=lambda: check.doing)
            self._events.emit("seeded", name=name)
        finally:
            await check.close()

    async def _application(self, name: str, loaded: Awaitable[tuple[Attempt, str]]) -> None:
        attempt, expected = await loaded
        ready = _Goal("application", name, "ApplicationNotReady", f"{name} is not ready: expected {expected}")
        await self._reach(ready, attempt)
        self._events.ready(ready.kind, name)

    async def _reach(
        self,
        goal: _Goal,
        attempt: Attempt,
        attempt_seconds: float | None = ATTEMPT_SECONDS,
        doing: Callable[[], str] = str,
    ) -> None:
        try:
            await until_success(
                attempt,
                deadline=self._deadline,
                on_waiting=lambda message: self._events.waiting(goal.kind, goal.name, message),
                attempt_seconds=attempt_seconds,
            )
        except RefusedError as error:
            raise EnvironmentFailedError(goal.kind, goal.name, goal.reason, str(error)) from None
        except DeadlineError as error:
            waited = f"gave up after {self._environment.deadline_seconds:g} s"
            seen = doing() or str(error) or "nothing, the first attempt had not ended"
            message = f"{goal.problem}; {waited}; last seen: {seen}"
            raise EnvironmentFailedError(goal.kind, goal.name, goal.reason, message) from None


async def _all_or_first_failure(coroutines: Iterable[Coroutine[None, None, None]]) -> None:
    """Run all at once; the first failure ends the others and is raised. At the deadline several fail together."""
    try:
        async with asyncio.TaskGroup() as group:
            for coroutine in coroutines:
                group.create_task(coroutine)
    except BaseExceptionGroup as failures:
        first, *others = failures.exceptions
        if isinstance(first, EnvironmentFailedError):
            first.message = "\n".join([first.message, *map(str, others)])
        raise first from None
