"""Tests on a cluster have a tenant of their own here too."""

from __future__ import annotations

from tests.e2e.conftest import operator, tenant, tenants

__all__ = ["operator", "tenant", "tenants"]
