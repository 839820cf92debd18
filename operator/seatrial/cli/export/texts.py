"""Text of tests, which anybody may have written, made harmless: no control characters, no colours, bounded."""

from __future__ import annotations

import re
import unicodedata

MESSAGE_CHARACTERS = 1024
DETAILS_CHARACTERS = 16_384
NAME_CHARACTERS = 1200
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)|[@-Z\\-_])")
_LOCATION = re.compile(r"(?P<file>[^\n]+?):(?P<line>[0-9]{1,7})(?::[0-9]+)?$")


def _is_unsafe(character: str) -> bool:
    if character in "\n\t":
        return False
    code = ord(character)
    # Controls, surrogates, and what XML forbids. Bidirectional controls would show a text that is not there.
    return (
        unicodedata.category(character) in {"Cc", "Cs"}
        or code & 0xFFFE == 0xFFFE  # noqa: PLR2004
        or 0xFDD0 <= code <= 0xFDEF  # noqa: PLR2004
        or character in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029"
    )


def clean(text: str, limit: int = DETAILS_CHARACTERS) -> str:
    """A text of at most `limit` characters and a note, in which control characters are written out as escapes."""
    cut = len(text) - limit
    if cut > 0:
        text = text[:limit]
    text = _ANSI.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    if not text.isprintable():
        text = "".join(_escape(item) if _is_unsafe(item) else item for item in text)
    return f"{text}\n... {cut} characters left out" if cut > 0 else text


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004


def one_line(text: str, limit: int = MESSAGE_CHARACTERS) -> str:
    """A text as one line."""
    return " ".join(clean(text, limit).split())


def location(text: str) -> tuple[str, int] | None:
    """File and line of `file:line`, or None."""
    match = _LOCATION.fullmatch(text.strip())
    return (one_line(match["file"]), int(match["line"])) if match else None
