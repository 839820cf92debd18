"""Very many failures and very much output: every test is counted, and nobody else has to wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .ends import End, error, expect

if TYPE_CHECKING:
    from .kubectl import Tenant

pytestmark = pytest.mark.e2e

GIGABYTE = 1 << 30


def test_5000_failures_with_long_texts(tenant: Tenant) -> None:
    source = (
        "import pytest\n@pytest.mark.parametrize('number', range(5000))\n"
        "def test_it(number): assert number < 0, 'x' * 10_000\n"
    )
    tenant.tests("failures", source)
    tenant.run("failures")
    expect(tenant, "failures", End("Failed", "TestsFailed", ("5000 of 5000",), "0/5000"), seconds=280)


TO_STDOUT = f"""\
def test_one(): pass
def test_two():
    for _ in range({GIGABYTE >> 20}): print("x" * (1 << 20))
"""
LINES_TO_STDERR = f"""\
import os
LINES = b"a line of log\\n" * 80000
def test_one(): pass
def test_two():
    for _ in range({GIGABYTE} // len(LINES)): os.write(2, LINES)
"""
AS_A_MESSAGE = f"""\
def test_one(): pass
def test_two(): raise AssertionError("x" * {GIGABYTE >> 2})
"""

PRINTS: dict[str, tuple[str, list[str], str, End]] = {
    # name: (source, arguments of pytest, memory limit, end)
    "captured-by-pytest-in-tmp": (TO_STDOUT, [], "512Mi", error("OOMKilled", "1 of 2", passed="1/2")),
    "to-stdout": (TO_STDOUT, ["-s"], "512Mi", End("Passed", "AllTestsPassed", passed="2/2")),
    "as-lines-to-stderr": (LINES_TO_STDERR, ["-s"], "512Mi", End("Passed", "AllTestsPassed", passed="2/2")),
    "as-the-message-of-a-failure": (AS_A_MESSAGE, [], "3Gi", End("Failed", "TestsFailed", ("1 of 2",), "1/2")),
}


@pytest.mark.parametrize("name", PRINTS)
def test_a_gigabyte(name: str, tenant: Tenant) -> None:
    source, args, memory, end = PRINTS[name]
    tenant.tests("gigabyte", source)
    suite = {"name": "it", "testsFrom": {"configMapRef": {"name": "gigabyte"}}, "pytest": {"args": args}}
    tenant.run("gigabyte", suites=[{**suite, "resources": {"limits": {"memory": memory}}}])
    expect(tenant, "gigabyte", end, seconds=280)
