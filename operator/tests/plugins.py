"""What keeps a pytest in a test from loading what only the development environment has."""

from __future__ import annotations

LEAN = {"PYTEST_ADDOPTS": "-p no:hypothesispytest -p no:valkey"}
"""No image of a suite has these plugins; importing them costs each pytest more than all the rest of a small suite."""
LEAN_ENV = [{"name": name, "value": value} for name, value in LEAN.items()]
"""The same for a suite of a manifest."""
