"""Settings of all tests: how long something takes is no property of the code under test."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("seatrial", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("seatrial")
