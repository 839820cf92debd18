"""The few errors that have a name; everything else is a defect."""

from __future__ import annotations


class SeatrialError(Exception):
    """Base of the errors that are meant for people: the message says what to do."""


class SpecError(SeatrialError):
    """The spec is not valid."""
