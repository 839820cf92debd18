"""Base images picked from Debian packages: the programs that are wanted, the libraries they need, and nothing else.

mmdebstrap unpacks the packages (with their dependencies) into a folder; files are kept by pattern, and each kept ELF
file brings the libraries that the dynamic loader of that folder resolves for it.
"""

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from images.command import run
from images.errors import ImageError

SUITE = "bookworm"
MERGE_USR = "/usr/share/mmdebstrap/hooks/merged-usr"
ELF_MAGIC = b"\x7fELF"


@dataclass(frozen=True)
class Pick:
    """Patterns are relative to the root; a folder stands for all that is below it. Links are path -> target.

    With `authorities`, the certificates of the package ca-certificates are put where OpenSSL looks for them.
    """

    packages: tuple[str, ...]
    keep: tuple[str, ...]
    drop: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    users: Mapping[str, int] = field(default_factory=dict)
    authorities: bool = False


def identity(users: Mapping[str, int]) -> dict[str, str]:
    """Files below /etc: root and the given users, and name lookups that see /etc/hosts before they ask DNS."""
    everybody = {"root": 0, **users}
    return {
        "etc/passwd": "".join(f"{name}:x:{uid}:{uid}::/:/bin/sh\n" for name, uid in everybody.items()),
        "etc/group": "".join(f"{name}:x:{uid}:\n" for name, uid in everybody.items()),
        "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    }


def unpack(packages: tuple[str, ...], root: Path) -> None:
    """Unpack packages and all they depend on into root, with /bin, /lib and /sbin merged into /usr."""
    options = ["--quiet", "--variant=extract", f"--hook-dir={MERGE_USR}", f"--include={','.join(packages)}"]
    options.append("--skip=cleanup/apt/cache")  # packages.py reads which file is from which of them
    run(["mmdebstrap", *options, SUITE, root], doing=f"unpack Debian {SUITE} packages ({', '.join(packages)})")


def pick(root: Path, wanted: Pick, target: Path) -> None:
    """Copy what is wanted, and the libraries it needs, from root to target."""
    for link, destination in {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}.items():
        (target / destination).mkdir(parents=True, exist_ok=True)
        (target / link).symlink_to(destination)
    for folder, mode in {"tmp": 0o1777, "data": 0o777, "proc": 0o555, "sys": 0o555, "dev": 0o755, "etc": 0o755}.items():
        (target / folder).mkdir()
        (target / folder).chmod(mode)
    kept = sorted(set(_matches(root, wanted)))
    for file in kept:
        _copy(root, file, target)
    for library in sorted(_libraries(root, kept)):
        _copy(root, library, target)
    for name, destination in wanted.links.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).symlink_to(destination)
    if wanted.authorities:
        _add_authorities(root, target)
    for name, text in identity(wanted.users).items():
        (target / name).write_text(text)


def add_shell(root: Path, target: Path) -> None:
    """Add busybox under the name of each of its tools, for start scripts and for people who look into a container."""
    busybox = Path("usr/bin/busybox")
    _copy(root, busybox, target)
    for library in _libraries(root, [busybox]):
        _copy(root, library, target)
    tools = run(["chroot", root, "/usr/bin/busybox", "--list"], doing="list busybox's tools").split()
    for tool in tools:
        link = target / "usr/bin" / tool
        if not link.exists() and not link.is_symlink():
            link.symlink_to("busybox")


def _add_authorities(root: Path, target: Path) -> None:
    """What the package's own set-up script would do; unpacking alone does not run it."""
    bundle = target / "etc/ssl/certs/ca-certificates.crt"
    bundle.parent.mkdir(parents=True)
    bundle.write_text(
        "".join(file.read_text() for file in sorted(root.glob("usr/share/ca-certificates/mozilla/*.crt")))
    )
    link = target / "usr/lib/ssl/cert.pem"
    link.parent.mkdir(parents=True)
    link.symlink_to("/etc/ssl/certs/ca-certificates.crt")


def _matches(root: Path, wanted: Pick) -> Iterator[Path]:
    dropped = {path for pattern in wanted.drop for path in root.glob(pattern)}
    for pattern in wanted.keep:
        found = list(root.glob(pattern))
        if not found:
            raise ImageError(f"no file of the Debian packages {', '.join(wanted.packages)} matches {pattern!r}.")
        for path in found:
            below = sorted(path.rglob("*")) if path.is_dir() and not path.is_symlink() else [path]
            yield from (
                file.relative_to(root)
                for file in below
                if _inside(root, file.relative_to(root)).is_file() and dropped.isdisjoint((file, *file.parents))
            )


def _copy(root: Path, name: Path, target: Path) -> None:
    """Copy one file; in place of a link goes the file that it leads to."""
    destination = target / name
    if destination.exists() or destination.is_symlink():
        return
    destination.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(_inside(root, name), destination)


def _inside(root: Path, name: Path) -> Path:
    """Follow links as a process would that has root as its `/`."""
    path = root / name
    for _ in range(40):
        if not path.is_symlink():
            return path
        link = path.readlink()
        path = root / link.relative_to("/") if link.is_absolute() else path.parent / link
    raise ImageError(f"/{name} in the Debian packages is a loop of links.")


def _libraries(root: Path, files: list[Path]) -> set[Path]:
    """The loader itself and every library that it resolves for the ELF files among `files`."""
    programs = [f"/{file}" for file in files if _is_elf(_inside(root, file))]
    loaders = [*root.glob("lib64/ld-linux*.so.*"), *root.glob("lib/ld-linux*.so.*")]
    if not loaders:
        raise ImageError("the Debian packages brought no dynamic loader (package libc6).")
    loader = loaders[0].relative_to(root)
    found = {loader} if programs else set()
    for program in programs:
        command = [
            "chroot",
            str(root),
            f"/{loader}",
            "--list",
            program,
        ]  # fails, rightly, for what is linked statically
        for line in subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines():
            name, arrow, rest = line.strip().partition(" => ")
            if rest.startswith("not found"):
                raise ImageError(f"{program} needs {name}, which is in none of the packages.")
            if arrow:
                found.add(Path(rest.split(" (")[0]).relative_to("/"))
    return {_merged(root, library) for library in found}


def _merged(root: Path, library: Path) -> Path:
    """`lib/x` as `usr/lib/x`: where the file really lies when /lib is a link."""
    first = root / library.parts[0]
    return first.readlink().joinpath(*library.parts[1:]) if first.is_symlink() else library


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == ELF_MAGIC
