"""Deliberate bugs, one at a time, by which the suites show that they notice. Never set this in earnest."""

from __future__ import annotations

import functools
import os
from enum import StrEnum
from typing import Final

VARIABLE: Final = "ALPHA_PANDA_BUG"


class Bug(StrEnum):
    """What goes wrong."""

    LOST_CAUSATION = "lost-causation"
    """An event names its parent's cause in the place of its parent."""
    MIXED_BROKERS = "mixed-brokers"
    """Both brokers' portfolios are under the paper broker's keys."""
    NO_DEDUPLICATION = "no-deduplication"
    """An event that was applied already is applied again."""
    EARLY_COMMIT = "early-commit"
    """Offsets are committed before the events are processed: a crash loses them."""
    SWALLOWED_POISON = "swallowed-poison"
    """What cannot be processed is dropped in the place of becoming a dead letter."""
    UNKEYED = "unkeyed"
    """Records have no partition key."""
    REFUSED_HISTORY = "refused-history"
    """Events of the previous schema version are not understood."""


@functools.cache
def active(bug: Bug) -> bool:
    """Whether this bug was asked for. Raises ValueError for one that does not exist."""
    wanted = os.environ.get(VARIABLE)
    return Bug(wanted) is bug if wanted else False
