"""Keeps the run's credentials out of everything that is printed: exceptions of client libraries can hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

MARK = "[redacted]"
_SECRET_SUFFIXES = ("PASSWORD", "TOKEN", "SECRET")


class Redactor:
    """Replaces every secret value among `variables`, in each form in which a message can hold it."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        secrets = {value for name, value in variables.items() if name.endswith(_SECRET_SUFFIXES)}
        for name, value in variables.items():
            if name.endswith("URL") and (password := _password(value)):
                secrets |= {password, unquote(password)}
        forms = {
            form
            for secret in secrets
            for form in (secret, quote(secret, safe="", errors="replace"), repr(secret)[1:-1])
        }
        # The longest first: one secret can be part of another.
        self._forms = sorted(forms - {""}, key=lambda form: (-len(form), form))

    def __call__(self, text: str) -> str:
        for form in self._forms:
            text = text.replace(form, MARK)
        return text


def _password(url: str) -> str | None:
    try:
        return urlsplit(url).password
    except ValueError:
        return None
