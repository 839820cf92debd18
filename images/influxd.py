"""InfluxDB's server, built from its Go module and the Rust library of its query language."""

import os
import platform
import shutil
from pathlib import Path

from images.command import run
from images.errors import ImageError
from images.settings import REPOSITORY

VERSION = "v2.7.12"
PACKAGE = "github.com/influxdata/influxdb/v2/cmd/influxd"
FLUX = "github.com/influxdata/flux"

PKG_CONFIG = """\
Name: Flux
Version: {version}
Description: the flux language
Libs: -L{library} -lflux -ldl -lpthread -lm
Cflags: -I{headers}
"""


def add_influxd(target: Path, scratch: Path) -> None:
    """Build a static influxd and put it to /usr/bin; about four minutes on two cores."""
    module = scratch / "module"
    module.mkdir()
    for name in ("go.mod", "go.sum"):
        shutil.copyfile(REPOSITORY / "images/influxdb" / name, module / name)
    package_files = scratch / "pkgconfig"
    go = {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod", "CGO_ENABLED": "1", "PKG_CONFIG_PATH": str(package_files)}
    run(["go", "mod", "download", FLUX], doing="download the Go module of flux", directory=module, environment=go)
    found = run(
        ["go", "list", "-m", "-f", "{{.Dir}} {{.Version}}", FLUX],
        doing="find flux among InfluxDB's Go modules",
        directory=module,
        environment=go,
    )
    folder, version = found.split()
    library = _build_libflux(Path(folder), scratch / "flux")
    headers = scratch / "flux/libflux/include"
    package_files.mkdir()
    text = PKG_CONFIG.format(version=version.removeprefix("v"), library=library.parent, headers=headers)
    (package_files / "flux.pc").write_text(text)
    binary = target / "usr/bin/influxd"
    binary.parent.mkdir(parents=True)
    flags = ["-trimpath", "-buildvcs=false", "-tags", "sqlite_foreign_keys,sqlite_json"]
    linker = f"-s -w -X main.version={VERSION} -linkmode external -extldflags=-static"
    run(
        ["go", "build", *flags, "-ldflags", linker, "-o", binary, PACKAGE],
        doing=f"build influxd {VERSION}",
        directory=module,
        environment=go,
    )
    for name, mode in (("tmp", 0o1777), ("data", 0o777)):
        (target / name).mkdir()
        (target / name).chmod(mode)


def _build_libflux(source: Path, work: Path) -> Path:
    """Build libflux.a from a writable copy: its build script reads the sibling folder stdlib."""
    for name in ("libflux", "stdlib"):
        shutil.copytree(source / name, work / name)
    for path in [work, *work.rglob("*")]:
        path.chmod(path.stat().st_mode | 0o200)
    # flux's own pin names a toolchain that would have to be downloaded; any recent one builds it once the default
    # features, which turn warnings into errors, are off.
    for pin in (work / "libflux").glob("rust-toolchain*"):
        pin.unlink()
    features = ["--no-default-features", "--features", "cffi"]
    run(
        ["cargo", "rustc", "--release", "--locked", "-p", "flux", "--lib", *features, "--crate-type", "staticlib"],
        doing="build libflux",
        directory=work / "libflux",
        environment={"CARGO_TARGET_DIR": str(work / "target"), "CARGO_TERM_COLOR": "never", **_rust_toolchain()},
    )
    library = work / "target/release/libflux.a"
    if not library.is_file():
        raise ImageError(f"cargo built no libflux.a on {platform.machine()}; expected it at {library}.")
    return library


def _rust_toolchain() -> dict[str, str]:
    """With rustup, name the installed toolchain, so that no pin file makes it download another."""
    if os.environ.get("RUSTUP_TOOLCHAIN") or shutil.which("rustup") is None:
        return {}
    active = run(["rustup", "show", "active-toolchain"], doing="find the Rust toolchain").split()
    return {"RUSTUP_TOOLCHAIN": active[0]} if active else {}
