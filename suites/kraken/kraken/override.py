"""The manual override: a person halts and resumes trading and tightens limits; it outlives the process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kraken.bugs import Bug
from kraken.limits import Limits, Tightening

if TYPE_CHECKING:
    from kraken.journal import Journal
    from kraken.settings import Settings

_NAME = "override"


class Override:
    """Read at the start, written before it takes effect."""

    def __init__(self, journal: Journal, settings: Settings) -> None:
        self._journal = journal
        self._settings = settings
        self.halted: str | None = None
        self.tightening = Tightening()

    @property
    def limits(self) -> Limits:
        """Those in force."""
        return self.tightening.apply(self._settings)

    async def load(self) -> None:
        stored = await self._journal.load(_NAME) or {}
        self.halted = None if self._settings.kraken_bug is Bug.FORGET_HALT else stored.get("halted")
        self.tightening = Tightening.model_validate(stored.get("limits") or {})

    async def halt(self, reason: str) -> None:
        self.halted = reason  # at once: what is being admitted now sees it, whether it can be written or not
        await self._save(reason, self.tightening)

    async def resume(self) -> None:
        await self._save(None, self.tightening)
        self.halted = None

    async def tighten(self, wanted: Tightening) -> None:
        merged = self.tightening.merged(wanted)
        await self._save(self.halted, merged)
        self.tightening = merged

    async def lift(self) -> None:
        """Back to the configured limits."""
        await self._save(self.halted, Tightening())
        self.tightening = Tightening()

    async def _save(self, halted: str | None, tightening: Tightening) -> None:
        limits = tightening.model_dump(mode="json", exclude_none=True)
        await self._journal.save(_NAME, {"halted": halted, "limits": limits})
