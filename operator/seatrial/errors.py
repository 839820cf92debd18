"""The few errors that have a name; everything else is a defect."""

from __future__ import annotations


class SeatrialError(Exception):
    """Base of the errors that are meant for people: the message says what to do."""


class SpecError(SeatrialError):
    """The spec is not valid."""


class ClusterError(SeatrialError):
    """The API server did not do what it was asked."""

    def __init__(self, message: str, *, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class UnavailableError(ClusterError):
    """The API server cannot answer now; the same request may go through later."""


class NotFoundError(ClusterError):
    """There is no such object."""


class AlreadyExistsError(ClusterError):
    """The name is taken by an object that is not this run's."""


class ConflictError(ClusterError):
    """The object has changed since it was read, or another object has its name."""


class ForbiddenError(ClusterError):
    """Refused by permissions, by a quota, by Pod Security or by another policy."""


class InvalidError(ClusterError):
    """The object is not valid."""
