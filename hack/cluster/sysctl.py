"""Kernel settings: what the node changes inside its own namespaces, and a shield before those of the whole machine."""

from __future__ import annotations

from pathlib import Path

from hack.cluster.processes import run

PROC_SYS = Path("/proc/sys")
# A kubelet sets these at start and they have no namespace. It gets files of its own to write to, so that nothing on the
# machine changes and nothing has to be restored, even if the node is killed.
KUBELET_SETTINGS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
# Everything else without a namespace is read-only: an unforeseen writer fails loudly.
# net/ belongs to the node's own namespace.
READ_ONLY = ("vm", "kernel", "fs", "dev")
NODE_SETTINGS = {
    "net/ipv4/ip_forward": "1",
    # With one point-to-point link per pod, no pod can use another pod's address as its source.
    "net/ipv4/conf/all/rp_filter": "1",
}
INOTIFY_INSTANCES = PROC_SYS / "fs/inotify/max_user_instances"
ENOUGH_INOTIFY_INSTANCES = 512


def shield(copies: Path) -> None:
    """Cover the machine-wide settings; runs inside the node's mount namespace."""
    copies.mkdir(parents=True)
    for directory in READ_ONLY:
        path = str(PROC_SYS / directory)
        if Path(path).is_dir():
            run(["mount", "--bind", path, path])
            run(["mount", "-o", "remount,bind,ro", path])
    for setting in KUBELET_SETTINGS:
        real = PROC_SYS / setting
        if real.exists():
            copy = copies / setting.replace("/", ".")
            copy.write_text(real.read_text())
            run(["mount", "--bind", str(copy), str(real)])


def set_node_settings() -> None:
    """Settings of the node's own network namespace."""
    for setting, value in NODE_SETTINGS.items():
        (PROC_SYS / setting).write_text(value)


def inotify_hint() -> str | None:
    """What to tell people when following many logs at once would fail, or None."""
    have = int(INOTIFY_INSTANCES.read_text())
    if have >= ENOUGH_INOTIFY_INSTANCES:
        return None
    return (
        f"note: fs.inotify.max_user_instances is {have}, and each followed log takes one; for more than about "
        f"{have - 60} at once: sysctl -w fs.inotify.max_user_instances={ENOUGH_INOTIFY_INSTANCES}"
    )
