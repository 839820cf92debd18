"""Carrying out the steps of a decision. Every step can be repeated; what is refused for good is remembered."""

from __future__ import annotations

import asyncio
import re
import secrets
from typing import TYPE_CHECKING, Any

from seatrial.credentials import DIGITS, PREFIX
from seatrial.decide import (
    APPLICATIONS,
    CONNECTION,
    COPIES,
    ENVIRONMENT,
    ISOLATION,
    NAMESPACE,
    SERVICES,
    SUITE_PREFIX,
)
from seatrial.errors import (
    AlreadyExistsError,
    ClusterError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    UnavailableError,
)
from seatrial.naming import READ_SECRETS_ROLE, run_labels

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence

    from seatrial.cluster import Cluster
    from seatrial.plan import Copy, Plan
    from seatrial.plan.model import Object

_SECRET = re.compile(r"\$\{secret:([a-z-]+)\}")
BINDING_SECONDS = (0.02, 0.1, 0.5, 2.0)
"""Pauses between attempts to use a right that was just given."""
_LACKS_RIGHT = re.compile(r'cannot (create|patch) resource "(?!namespaces|rolebindings)')
"""How RBAC refuses, other than quotas and policies do."""
RUN_ONCE = frozenset({"Pod", "Job"})
"""Kinds whose running state is worth keeping: created once, never changed."""

_ORDER = ((NAMESPACE,), (ISOLATION, CONNECTION, COPIES), (SERVICES, ENVIRONMENT, APPLICATIONS))


class Refusal(Exception):  # noqa: N818  (an answer, not a failure of ours)
    """The API server will not have it."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


async def carry_out(cluster: Cluster, plan: Plan, steps: Sequence[str]) -> tuple[list[str], dict[str, tuple[str, str]]]:
    """Carry out steps: the namespace, then what isolates it, then everything else at once.

    Returns the steps that are done, and those that were refused with reason and message. Raises UnavailableError when
    the API server cannot answer: the steps that were not reported are to be repeated.
    """
    done: list[str] = []
    refused: dict[str, tuple[str, str]] = {}
    suites = tuple(step for step in steps if step.startswith(SUITE_PREFIX))
    for group in (*_ORDER[:-1], (*_ORDER[-1], *suites)):
        wanted = [step for step in group if step in steps]
        results = await asyncio.gather(*(_step(cluster, plan, step) for step in wanted), return_exceptions=True)
        failed = [result for result in results if result is not None]
        if failed and not isinstance(worst := min(failed, key=_rank), Refusal):
            raise worst
        for step, result in zip(wanted, results, strict=True):
            if isinstance(result, Refusal):
                refused[step] = (result.reason, result.message)
            elif result is None:
                done.append(step)
        if refused:
            break
    return done, refused


async def _step(cluster: Cluster, plan: Plan, step: str) -> None:
    match step:
        case "namespace":
            await _create(cluster, plan.namespace)
            if plan.binding is not None:
                await _create(cluster, plan.binding)
        case "isolation":
            await _all(cluster, plan.isolation)
        case "connection":
            await _create(cluster, draw_secrets(plan.connection))
        case "copies":
            await _together(_copy(cluster, plan, copy) for copy in plan.copies)
        case "services":
            await _all(cluster, [item for service in plan.services for item in (service.service, service.pod)])
        case "environment":
            await _all(cluster, plan.environment)
        case "applications":
            await _all(cluster, [item for app in plan.applications for item in (app.service, app.deployment)])
        case _:
            name = step.removeprefix(SUITE_PREFIX)
            await _create(cluster, next(suite.job for suite in plan.suites if suite.name == name))


async def _all(cluster: Cluster, items: Sequence[Object]) -> None:
    await _together(_create(cluster, item) if item["kind"] in RUN_ONCE else _apply(cluster, item) for item in items)


async def _together(requests: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Carry out requests at once and wait for all of them: none may go on after the run has been told of a refusal."""
    answers = await asyncio.gather(*requests, return_exceptions=True)
    failed = [item for item in answers if item is not None]
    if failed:
        raise min(failed, key=_rank)


def _rank(error: BaseException) -> int:
    """A defect outweighs a refusal, and that what may go through the next time."""
    return 1 if isinstance(error, Refusal) else 2 if isinstance(error, UnavailableError) else 0


async def _insist(write: Callable[[Object], Awaitable[None]], item: Object) -> None:
    """Write an object; again, where a right is missing that the namespace's binding gives.

    Each API server learns of a binding by itself, some milliseconds after it was created.
    """
    for pause in BINDING_SECONDS:
        try:
            return await write(item)
        except ForbiddenError as error:
            if not _LACKS_RIGHT.search(str(error)):
                raise
        await asyncio.sleep(pause)
    return await write(item)


async def _create(cluster: Cluster, item: Object) -> None:
    try:
        await _insist(cluster.create_once, item)
    except AlreadyExistsError as error:
        kind, name = item["kind"], item["metadata"]["name"]
        raise Refusal("NameConflict", f"{kind} {name} exists and belongs to something else; delete it") from error
    except ClusterError as error:
        raise _refusal(item, error) from error


async def _apply(cluster: Cluster, item: Object) -> None:
    try:
        await _insist(cluster.apply, item)
    except ClusterError as error:
        raise _refusal(item, error) from error


def _refusal(item: Object, error: ClusterError) -> Exception:
    """What a refused write means for the run."""
    if isinstance(error, UnavailableError):
        return error
    if isinstance(error, ConflictError):  # two pods were counted against the quota at once, say
        return UnavailableError(str(error), reason=error.reason)
    what = f"{item['kind']} {item['metadata']['name']}"
    if error.reason == "NamespaceTerminating" or isinstance(error, NotFoundError):
        return Refusal("EnvironmentDeleted", f"{what}: the run's namespace is being deleted by somebody else")
    if isinstance(error, ForbiddenError):
        message = str(error)
        if "exceeded quota" in message:
            return Refusal("QuotaExceeded", f"{what}: {message}")
        if "PodSecurity" in message:
            return Refusal("PodSecurityViolation", f"{what}: {message}")
        return Refusal("Forbidden", f"{what}: {message}")
    return Refusal("Refused", f"{what}: {error}")


async def _copy(cluster: Cluster, plan: Plan, copy: Copy) -> None:
    """Copy a tenant's ConfigMap or Secret into the run's namespace."""
    run = plan.run
    name = f"{copy.kind} {run.namespace}/{copy.source}"
    try:
        source = await cluster.read(copy.kind, run.namespace, copy.source)
    except NotFoundError as error:
        raise Refusal(
            f"{copy.kind}NotFound",
            f"{name}, which the spec names, does not exist; create it and apply the TestRun again under a new name",
        ) from error
    except ForbiddenError as error:
        raise Refusal(f"{copy.kind}AccessDenied", f"{name}: {_grant(run.namespace, str(error))}") from error
    # Not the type: a Secret of a special type would be refused for lack of what that type asks for.
    members: Object = {key: source[key] for key in ("data", "binaryData") if key in source}
    target = {
        "apiVersion": "v1",
        "kind": copy.kind,
        "metadata": {"name": copy.target, "namespace": plan.namespace_name, "labels": run_labels(run)},
        **members,
    }
    # Whoever may patch a Secret can read it: the answer holds all of it. So the operator may only create them.
    await (_create if copy.kind == "Secret" else _apply)(cluster, target)


def _grant(namespace: str, message: str) -> str:
    """The command with which a namespace's owner lets the operator read Secrets there."""
    account = re.search(r'User "system:serviceaccount:([^:"]+):([^"]+)"', message)
    subject = f"{account[1]}:{account[2]}" if account else "seatrial-system:seatrial"
    return (
        "the operator may not read it; the namespace's owner can grant that with: kubectl create rolebinding "
        f"seatrial-secrets -n {namespace} --clusterrole={READ_SECRETS_ROLE} --serviceaccount={subject}"
    )


def draw_secrets(secret: Object) -> Object:
    """Put a random value in the place of each `${secret:NAME}`; the same name gets the same value."""
    drawn: dict[str, str] = {}

    def value(match: re.Match[str]) -> str:
        return drawn.setdefault(match[1], PREFIX + secrets.token_hex(DIGITS // 2))

    return secret | {"stringData": {key: _SECRET.sub(value, text) for key, text in secret["stringData"].items()}}
