from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import a_tenant, operator, tenant, tenants  # noqa: F401  (fixtures)
from tests.e2e.kubectl import operator_pod

from .inside import Inside, Outside, look_inside, look_outside
from .scene import Scene, clean_up, set_up, state_of

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def scene(tenants: dict[str, str], operator: None) -> Iterator[Scene]:  # noqa: F811, ARG001
    """Two tenants, each with a finished run whose environment is kept, and everybody who tries something.

    In the end all is as it was before the first attempt, and the operator was not restarted.
    """
    with a_tenant("the attempts", tenants) as mine, a_tenant("the attempts", tenants) as theirs:
        scene = set_up(mine, theirs)
        try:
            before, pod = state_of(scene), operator_pod()
            yield scene
            assert operator_pod() == pod, "the operator was restarted"
            assert state_of(scene) == before, "something has changed, though everything was refused"
        finally:
            clean_up(scene)


@pytest.fixture(scope="session")
def inside(scene: Scene, tenants: dict[str, str]) -> Iterator[Inside]:  # noqa: F811
    """What one run finds out about the cluster around it."""
    with a_tenant("a look from inside", tenants) as tenant:  # noqa: F811
        yield look_inside(scene, tenant)


@pytest.fixture(scope="session")
def outside(tenants: dict[str, str], operator: None) -> Iterator[Outside]:  # noqa: F811, ARG001
    """What one run finds out about what is around the cluster."""
    with a_tenant("a look outside", tenants) as tenant:  # noqa: F811
        yield look_outside(tenant)
