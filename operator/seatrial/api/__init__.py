"""The API, group `seatrial.dev`: these models are the only definition of spec, status and CRDs."""

from seatrial.api.results import TestResultSlice, TestResultSliceSpec
from seatrial.api.spec import TestRunSpec, parse_spec
from seatrial.api.status import Condition, TestRunStatus

GROUP = "seatrial.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

__all__ = [
    "API_VERSION",
    "GROUP",
    "VERSION",
    "Condition",
    "TestResultSlice",
    "TestResultSliceSpec",
    "TestRunSpec",
    "TestRunStatus",
    "parse_spec",
]
