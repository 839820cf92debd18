"""pip-audit's answers, and that none is not taken for a good one."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from hack.supply.audit import STRICT, audit

ROOT = Path(__file__).parents[3]
PROGRAM = ".venv/audit/bin/pip-audit"
LOCK = Path("operator.lock")
SAYS = {
    "fine": ("No known vulnerabilities found", 0),
    "found": ("Found 1 known vulnerability in 1 package\nName Version ID\naiohttp 3.8.0 PYSEC-1", 1),
    "away": ("ERROR:pip_audit._cli:Could not connect to PyPI's vulnerability feed", 1),
    "broken": ("ERROR: invalid requirements input", 1),
}


def program(folder: Path, name: str) -> Path:
    """Something that ends as pip-audit does; what the real one says without a connection is below."""
    text, code = SAYS[name]
    path = folder / "pip-audit"
    path.write_text(f"#!/bin/sh\ncat >&2 <<'EOF'\n{text}\nEOF\nexit {code}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("name", "strict", "code", "message"),
    [
        ("fine", "", 0, "operator.lock: no known vulnerability"),
        ("found", "", 1, "PYSEC-1"),
        ("away", "", 0, "operator.lock: NOT CHECKED: the vulnerability data cannot be reached from here; CI checks it"),
        ("away", "1", 1, "operator.lock: NOT CHECKED"),
        ("broken", "", 1, "invalid requirements input"),
    ],
)
def test_what_is_made_of_an_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *, name: str, strict: str, code: int, message: str
) -> None:
    environment = os.environ | {STRICT: strict}
    assert audit(LOCK, program(tmp_path, name), environment) == code
    said = capsys.readouterr()
    assert message in said.out + said.err


@pytest.mark.external
def test_the_real_program_without_a_connection(capsys: pytest.CaptureFixture[str]) -> None:
    """It cannot ask anybody: that is said, and is no failure but where it must not be missing."""
    subprocess.run(["make", "--no-print-directory", PROGRAM], cwd=ROOT, check=True, capture_output=True)
    closed = {"HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "NO_PROXY": "", "no_proxy": ""}
    environment = {name: text for name, text in os.environ.items() if name != STRICT} | closed
    with tempfile.TemporaryDirectory() as cache:
        arguments = ["--cache-dir", cache, "--timeout", "2"]
        assert audit(ROOT / "requirements" / "audit.lock", ROOT / PROGRAM, environment, arguments) == 0
        assert "audit.lock: NOT CHECKED" in capsys.readouterr().err
        assert audit(ROOT / "requirements" / "audit.lock", ROOT / PROGRAM, environment | {STRICT: "1"}, arguments) == 1
