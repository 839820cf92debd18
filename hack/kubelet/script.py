"""What a pod is told to do, by JSON or by a program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "STANDIN"
"""Of a container: JSON, the Script of its pod."""


class _Strict(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid")


class Waiting(_Strict):
    """Why a container does not start."""

    reason: str
    message: str = ""


class Exit(_Strict):
    """How and when the main container ends by itself."""

    code: int = 1
    reason: str = "Error"
    message: str = ""
    seconds: float = 0


class Failed(_Strict):
    """The last words of an environment that fails."""

    kind: str
    name: str
    reason: str
    message: str


class Script(_Strict):
    """What a pod does. The table is in README.md."""

    start_seconds: float = 0
    pending: bool = False
    waiting: Waiting | None = None
    exit: Exit | None = None
    log: tuple[str, ...] = ()
    rotate_at: int | None = None
    failed: Failed | None = None
    tests: int = 10
    fail: frozenset[int] = frozenset()
    seconds: float = 0
    rc: int | None = None
    hang: bool = False
    hang_after: int | None = None
    exit_after: int | None = None
    lost_records: frozenset[int] = frozenset()
    oom: bool = False
    flood_lines: int = 0

    @property
    def status(self) -> int:
        """Exit status of the suite."""
        return self.rc if self.rc is not None else int(bool(self.fail))


class ScriptError(Exception):
    """A script that cannot be read."""


def parse_script(text: str, where: str) -> Script:
    """Read JSON. Raises ScriptError that says where it is and what is wrong."""
    try:
        return Script.model_validate_json(text)
    except ValidationError as error:
        what = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise ScriptError(f"{where}: {what}") from None


def script_of(pod: Mapping[str, Any]) -> Script | None:
    """The script in the variable STANDIN of one of the pod's containers."""
    for container in pod["spec"]["containers"]:
        for variable in container.get("env") or ():
            if variable["name"] == VARIABLE:
                metadata = pod["metadata"]
                where = f"{VARIABLE} of container {container['name']} of pod {metadata['namespace']}/{metadata['name']}"
                return parse_script(variable.get("value", ""), where)
    return None
