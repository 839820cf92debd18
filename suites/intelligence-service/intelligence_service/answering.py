"""From a record to what is published about it. Pure, and whatever is wrong with one record stays with that record."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from intelligence_service.faults import Bug
from intelligence_service.handlers import EMPTY, HANDLERS, PayloadError
from intelligence_service.messages import (
    MAX_KEY_BYTES,
    MAX_RECORD_BYTES,
    Outgoing,
    Request,
    Source,
    dead_letter,
    request_topic,
    response,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

SUBJECTS = {request_topic(subject): subject for subject in HANDLERS}
"""By topic."""
log = logging.getLogger(__name__)


class Answering:
    """Answers records, one after the other."""

    def __init__(self, max_code_bytes: int, bug: Bug | None = None) -> None:
        self._max_bytes = max_code_bytes
        self._bug = bug

    def answer(self, record: Any) -> tuple[str, Outgoing]:
        """completed, rejected or dead-letter; and the response or the dead letter."""
        source = Source(record.topic, record.partition, record.offset)
        subject = SUBJECTS[record.topic]
        try:
            request = self._request(record.key, record.value, subject)
        except (ValidationError, PayloadError) as error:
            return "dead-letter", dead_letter(source, record.key, record.value, _said(error))
        try:
            result = HANDLERS[subject](request.payload)
            answer = response(subject, request, source, record.key, status="completed", result=result)
            _check_size(answer)
        except PayloadError as error:
            result = {**EMPTY[subject], "error": str(error)}
            return "rejected", response(subject, request, source, record.key, status="rejected", result=result)
        except Exception as error:
            log.exception("handler failed", extra={"subject": subject, "source": str(source)})
            text = f"the {subject} handler failed: {type(error).__name__}: {error}"
            return "dead-letter", dead_letter(source, record.key, record.value, text)
        return "completed", answer

    def answer_all(self, records: Sequence[Any]) -> list[tuple[str, Outgoing]]:
        """In their order."""
        answers = [self.answer(record) for record in records]
        return answers if self._bug is None else _spoil(answers, self._bug)

    def _request(self, key: bytes | None, raw: bytes | None, subject: str) -> Request:
        if len(raw or b"") > self._max_bytes:
            raise PayloadError(f"the request has {len(raw or b'')} bytes; expected at most {self._max_bytes}")
        if len(key or b"") > MAX_KEY_BYTES:
            raise PayloadError(f"the request's key has {len(key or b'')} bytes; expected at most {MAX_KEY_BYTES}")
        request = Request.model_validate_json(raw or b"")
        wanted = f"codegen.request.{subject}"
        if request.event_type not in (None, wanted):
            raise PayloadError(f"event_type is {request.event_type!r}; expected {wanted!r} on this topic")
        return request


def _check_size(answer: Outgoing) -> None:
    """Raises PayloadError."""
    if answer.size > MAX_RECORD_BYTES:
        raise PayloadError(f"the answer has {answer.size} bytes; expected at most {MAX_RECORD_BYTES}")


def _said(error: ValidationError | PayloadError) -> str:
    if isinstance(error, PayloadError):
        return str(error)
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg']}" if where else first["msg"]


def _spoil(answers: list[tuple[str, Outgoing]], bug: Bug) -> list[tuple[str, Outgoing]]:
    """The deliberate bugs that are about the content of answers."""
    if bug is Bug.SILENT:
        return [(outcome, outgoing) for outcome, outgoing in answers if outcome != "dead-letter"]
    if bug is Bug.WRONG_CORRELATION and answers:
        last = answers[0][1].value["correlation_id"]
        for _, outgoing in answers:
            outgoing.value["correlation_id"], last = last, outgoing.value["correlation_id"]
    for _, outgoing in answers:
        if bug is Bug.NO_CAUSATION:
            outgoing.value["causation_id"] = None
        if bug is Bug.FORGIVING and "violations" in outgoing.value:
            kept = [entry for entry in outgoing.value["violations"] if not entry["rule"].startswith("node-")]
            outgoing.value.update({"violations": kept, "quality_score": 1.0, "is_valid": True})
    return answers
