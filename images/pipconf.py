"""The machine's own pip configuration, made readable inside a build as a secret: it never becomes part of an image."""

import ast
import configparser
import io
import os
import sys
from pathlib import Path

from images.command import run

# Where the Dockerfiles mount the secret `ca`.
CERTIFICATES = "/run/secrets/ca"

# These name files and folders of this machine, which a build does not see.
LOCAL_OPTIONS = frozenset({"cache-dir", "client-cert", "constraint", "find-links", "log", "requirement"})


def secrets(folder: Path) -> dict[str, Path]:
    """Write the secrets `pip` (a pip.conf) and `ca` (certificates, maybe empty) to folder."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    listing = run([sys.executable, "-m", "pip", "config", "list"], doing="read pip's configuration")
    text, certificates = translate(listing, os.environ.get("SSL_CERT_FILE"))
    configuration, authority = folder / "pip.conf", folder / "ca.pem"
    configuration.write_text(text)
    authority.write_bytes(Path(certificates).read_bytes() if certificates else b"")
    return {"pip": configuration, "ca": authority}


def translate(listing: str, certificates: str | None) -> tuple[str, str | None]:
    """Turn `pip config list` into a pip.conf for use inside a build; also returns the file of certificates to trust.

    Environment variables (`:env:`) win over files, as they do in pip.
    """
    lines = [line.partition("=") for line in listing.splitlines() if "=" in line]
    lines.sort(key=lambda line: line[0].startswith(":env:"))
    result = configparser.RawConfigParser()
    for key, _, quoted in lines:
        section, _, option = key.partition(".")
        section = "global" if section == ":env:" else section
        value = str(ast.literal_eval(quoted))
        if option == "cert":
            certificates = value
        elif option not in LOCAL_OPTIONS:
            _set(result, section, option, value)
    if certificates:
        _set(result, "global", "cert", CERTIFICATES)
    text = io.StringIO()
    result.write(text)
    return text.getvalue(), certificates


def _set(configuration: configparser.RawConfigParser, section: str, option: str, value: str) -> None:
    if not configuration.has_section(section):
        configuration.add_section(section)
    configuration.set(section, option, value)
