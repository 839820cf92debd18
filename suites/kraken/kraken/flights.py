"""Orders that somebody in this process is about to send, or waits for the answer to."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterator


class Flights:
    """`order_id in flights`."""

    def __init__(self) -> None:
        self._counts: Counter[uuid.UUID] = Counter()

    def __contains__(self, order_id: object) -> bool:
        return order_id in self._counts

    @contextmanager
    def of(self, order_id: uuid.UUID) -> Iterator[None]:
        """Begins before the order is in the journal: the reconciliation must not take it for one left behind."""
        self._counts[order_id] += 1
        try:
            yield
        finally:
            self._counts[order_id] -= 1
            self._counts += Counter()  # drops what is at 0
