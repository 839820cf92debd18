"""Fixtures and assertions for suites that test event-driven services on the real thing.

Nothing is imported here: pytest loads this package in front of every first test, and whoever needs a client imports it.
"""
