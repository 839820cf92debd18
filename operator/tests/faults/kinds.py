"""The runs that faults are tried on: a spec, what its pods do, and what somebody does to it half way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hack.kubelet import Script

if TYPE_CHECKING:
    from collections.abc import Mapping

Object = dict[str, Any]

TESTS = 6
STARTED = 3
"""So many tests of a suite that hangs have ended when somebody interferes."""

SOURCE = {"test_it.py": "def test_it() -> None: ...\n"}
"""A ConfigMap of the tenant, which runs copy. Nobody runs what is in it."""


@dataclass(frozen=True)
class Kind:
    """One kind of run."""

    name: str
    phase: str
    """How it ends."""
    suites: Mapping[str, Script] = field(
        default_factory=lambda: {"core": Script(tests=TESTS), "extra": Script(tests=2)}
    )
    shards: Mapping[str, int] = field(default_factory=lambda: {"core": 2})
    scripts: Mapping[str, Script] = field(default_factory=dict)
    """What other pods do, by component and name: service/redis."""
    suite: Mapping[str, Any] = field(default_factory=dict)
    """Members of every suite beside those that all have."""
    spec: Mapping[str, Any] = field(default_factory=dict)
    """Members of the spec beside those that all runs have."""
    change: Mapping[str, Any] | None = None
    """A change of the spec half way."""
    delete: bool = False
    """Deleted half way."""
    dies: tuple[str, str] | None = None
    """Component and name of the pod that the kernel kills half way."""
    reason: str = ""
    early: bool = False
    """Ends when the culprit is seen, so that it is chance how far the rest has come."""

    @property
    def interferes(self) -> bool:
        return self.delete or self.change is not None or self.dies is not None

    def body(self) -> Object:
        """The spec."""
        suites = [
            {
                **self.suite,
                "name": name,
                "shards": self.shards.get(name, 1),
                "env": [{"name": "STANDIN", "value": script.model_dump_json(by_alias=True, exclude_defaults=True)}],
                "testsFrom": {"configMapRef": {"name": "tests"}},
            }
            for name, script in self.suites.items()
        ]
        return {
            "services": {"redis": {}, "postgres": {}},
            "applications": [{"name": "app", "image": "registry.test/app:1"}],
            "suites": suites,
            "retention": {"onSuccess": "0s", "onFailure": "0s"},
            **self.spec,
        }


PASSES = Kind("passes", "Passed")
FAILS = Kind("fails", "Failed", {"core": Script(tests=TESTS, fail=frozenset({1, 4})), "extra": Script(tests=2)})
BREAKS = Kind(
    "service dies",
    "Error",
    {"core": Script(tests=TESTS, hang_after=STARTED)},
    {},
    dies=("service", "redis"),
    reason="ServiceFailed",
)
CANCELLED = Kind(
    "cancelled", "Cancelled", {"core": Script(tests=TESTS, hang_after=STARTED)}, {}, change={"cancel": True}
)
DELETED = Kind("deleted", "", {"core": Script(tests=TESTS, hang_after=STARTED)}, {}, delete=True)
RETAINED = Kind(
    "retained",
    "Failed",
    {"core": Script(tests=TESTS, fail=frozenset({1}))},
    {},
    spec={"retention": {"onSuccess": "0s", "onFailure": "2s"}},
)
LONG = Kind("long", "Passed", {"core": Script(tests=1200, seconds=0.002)}, {})
"""Long enough for slices and counts to be written while it runs."""

SLOW = Kind("slow", "Passed", {"core": Script(tests=20, seconds=0.25)}, {})
"""Still runs when something that takes seconds has passed."""

KINDS = (PASSES, FAILS, BREAKS, CANCELLED, DELETED, RETAINED, LONG)
