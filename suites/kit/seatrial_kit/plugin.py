"""What pytest loads: the option, the markers, the fixtures, and the report of what was missing."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from seatrial_kit.missing import OPTION, SKIPPED

if TYPE_CHECKING:
    import pytest

pytest_plugins: list[str] = []
if sys.version_info >= (3, 11):  # noqa: UP036 - the distribution's other plugin, which writes records, runs on older ones too
    pytest_plugins = ["seatrial_kit.kafka.fixtures"]
    if importlib.util.find_spec("pytest_asyncio"):
        pytest_plugins += ["seatrial_kit.kafka.async_fixtures", "seatrial_kit.services.fixtures"]

MARKERS = {
    "kafka": "needs a Kafka broker",
    "integration": "talks to a real service",
    "slow": "takes seconds rather than milliseconds",
    "load": "sends many messages, and records how fast they were dealt with",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("seatrial").addoption(
        OPTION,
        action="store_true",
        default=False,
        help="skip tests whose service cannot be reached; without it they fail. The summary counts them.",
    )


QUIET = ("kafka.protocol.schemas.load_json", "importlib.resources._legacy")
"""Where kafka-python reads its schemas by functions that newer Pythons deprecate: no suite's fault."""


def pytest_configure(config: pytest.Config) -> None:
    for module in QUIET:
        config.addinivalue_line("filterwarnings", f"ignore:(read|open)_text is deprecated:DeprecationWarning:{module}")
    for name, meaning in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """How many tests were not run for want of a service, and why: a green line alone would hide it."""
    said = [report.longrepr[2] for report in terminalreporter.stats.get("skipped", []) if report.longrepr]
    reasons = Counter(text.partition(SKIPPED)[2] for text in said if SKIPPED in text)
    if not reasons:
        return
    terminalreporter.section("missing services", yellow=True)
    terminalreporter.write_line(f"{sum(reasons.values())} tests were skipped ({OPTION}) because a service was missing:")
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"{count:5} x {reason}")
