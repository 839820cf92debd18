"""Did you mean: the known name that a wrong one is nearest to."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_CUTOFF = 0.6
_SHOWN = 12


def _plain(name: str) -> str:
    return re.sub(r"[-_. ]", "", name).lower()


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is meant, or None. Capitals, dashes and underscores make no difference."""
    names = {_plain(item): item for item in sorted(known)}
    if _plain(name) in names:
        return names[_plain(name)]
    found = difflib.get_close_matches(_plain(name)[:100], names, n=1, cutoff=_CUTOFF)
    return names[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean X?` or the known names, to be put behind what is wrong."""
    names = sorted(known)
    guess = nearest(name, names)
    if guess is not None:
        return f"; did you mean {guess}?"
    if not names:
        return ""
    return f"; expected one of {', '.join(names[:_SHOWN])}{', ...' if len(names) > _SHOWN else ''}"
