"""The files that are mounted into every suite image."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from seatrial.errors import SeatrialError


class MissingModuleError(SeatrialError):
    """A part of the product is not installed."""


def read_inpod_files() -> dict[str, str]:
    """File name -> content. They are read, not imported: pytest is no dependency of the operator.

    Raises MissingModuleError.
    """
    files = {}
    for module, name in (
        ("seatrial.agent.inpod.supervisor", "supervisor.py"),
        ("pytest_seatrial", "pytest_seatrial.py"),
    ):
        spec = find_spec(module)
        if spec is None or spec.origin is None:
            raise MissingModuleError(f"the module {module} is not installed; install pytest-seatrial beside seatrial")
        files[name] = Path(spec.origin).read_text()
    return files
