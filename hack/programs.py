"""The programs that tests call beside Python: found, or installed on Debian and Ubuntu. `python -m hack.programs`."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from hack import apt

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER_VARIABLE = "SEATRIAL_BROWSER"
PACKAGES = {
    "ip": "iproute2",
    "java": "default-jre-headless",
    "mount": "mount",
    "mvn": "maven",
    "unshare": "util-linux",
}
"""Program -> Debian's package."""
BROWSER = "a browser (Chromium or Chrome)"
BROWSER_PACKAGE = "chromium"


DOWNLOADS = Path.home() / ".cache" / "ms-playwright"
"""Where Playwright keeps the browser that it fetches."""


def browser() -> str | None:
    """Path of a browser of the Chromium family, if there is one."""
    if named := os.environ.get(BROWSER_VARIABLE):
        return shutil.which(named)
    fetched = (str(path) for path in sorted(DOWNLOADS.glob("chromium-*/chrome-linux*/chrome")))
    return next((path for name in BROWSERS if (path := shutil.which(name))), None) or next(fetched, None)


def missing() -> list[str]:
    """What is not there."""
    gone = [name for name in PACKAGES if shutil.which(name) is None]
    return gone if browser() else [*gone, BROWSER]


def main() -> None:
    """Install what is missing as root on Debian or Ubuntu, else say what to install."""
    gone = missing()
    if gone and os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"installing what tests need: {', '.join(gone)}", file=sys.stderr, flush=True)
        try:
            _install(gone)
        except (apt.AptError, subprocess.CalledProcessError) as error:
            sys.exit(f"error: {error}")
        gone = missing()
    if gone:
        packages = " ".join(PACKAGES.get(name, BROWSER_PACKAGE) for name in gone)
        sys.exit(
            f"error: the tests need programs that were not found: {', '.join(gone)}.\n"
            f"Install them (as root on Debian: apt-get install {packages}), then run this again. "
            f"A browser that is elsewhere can be named: {BROWSER_VARIABLE}=PATH."
        )


def _install(gone: list[str]) -> None:
    packages = [PACKAGES[name] for name in gone if name in PACKAGES]
    fetch = BROWSER in gone and _is_ubuntu()
    if BROWSER in gone and not fetch:
        packages.append(BROWSER_PACKAGE)
    if packages:
        apt.install(sorted(set(packages)))
    if fetch:
        subprocess.run([sys.executable, "-m", "playwright", "install", "--with-deps", "chromium"], check=True)


def _is_ubuntu() -> bool:
    """Its package of the browser is a snap, which containers cannot run."""
    return platform.freedesktop_os_release()["ID"] == "ubuntu"


if __name__ == "__main__":
    main()
