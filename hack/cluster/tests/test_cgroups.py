"""Finding the cgroup hierarchies of both versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from hack.cluster.cgroups import Hierarchies, parse_mounts
from hack.cluster.errors import ClusterError

OTHERS = "22 1 259:1 / / rw,relatime - ext4 /dev/root rw\n31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
V1 = OTHERS + (
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
    "33 31 0:30 / /sys/fs/cgroup/memory rw,nosuid shared:10 - cgroup cgroup rw,memory\n"
)
HYBRID = V1 + "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
V2 = "22 1 259:1 / / rw - ext4 /dev/root rw\n35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n"

CPU, MEMORY, UNIFIED = (Path("/sys/fs/cgroup") / name for name in ("cpu,cpuacct", "memory", "unified"))


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (V1, Hierarchies((CPU, MEMORY), unified=False)),
        (HYBRID, Hierarchies((CPU, MEMORY, UNIFIED), unified=False)),
        (V2, Hierarchies((Path("/sys/fs/cgroup"),), unified=True)),
    ],
    ids=["version 1", "hybrid", "version 2"],
)
def test_mount_tables(table: str, expected: Hierarchies) -> None:
    assert parse_mounts(table) == expected


def test_no_hierarchy_is_an_error_for_people() -> None:
    with pytest.raises(ClusterError, match="no cgroup hierarchy is mounted"):
        parse_mounts(OTHERS)
