"""What could not be taken over, and why."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Note:
    """One thing of a service that the TestRun does not have, or has otherwise."""

    service: str
    key: str
    reason: str

    def __str__(self) -> str:
        place = f"{self.service}.{self.key}" if self.service and self.key else self.service or self.key
        return f"{place}: {self.reason}"


@dataclass
class Notes:
    """Collects notes in their order, each once."""

    items: list[Note] = field(default_factory=list)

    def tell(self, service: str, key: str, reason: str) -> None:
        note = Note(service, key, reason)
        if note not in self.items:
            self.items.append(note)


HANDLED = frozenset({
    "image", "build", "command", "entrypoint", "environment", "env_file", "ports", "expose", "healthcheck", "user",
    "mem_limit", "mem_reservation", "cpus",
})  # fmt: skip
"""Keys of a service that a converter reads by itself."""

REASONS = {
    "depends_on": "not needed: services are ready and seeded before any application starts, and those before any suite",
    "container_name": "a run reaches its parts by the names in the manifest",
    "hostname": "a run reaches its parts by the names in the manifest",
    "networks": "every part of a run reaches every other, and nothing else",
    "links": "every part of a run reaches every other",
    "restart": "an application that ends is the run's verdict, it is not started again",
    "volumes": "a run has no volumes: put what is needed into the image",
    "tmpfs": "the folder for temporary files is writable and in memory, nothing else is",
    "working_dir": "set it in the image",
    "profiles": "a TestRun has no profiles: write one per profile",
    "scale": "an application runs once",
    "deploy": "only its limits are taken over: an application runs once",
    "stdin_open": "nobody types",
    "tty": "nobody types",
    "init": "the container runtime looks after that",
    "platform": "the nodes decide",
    "labels": "labels of a container have no meaning in a run",
    "logging": "logs are kept by the run",
    "stop_grace_period": "the environment is deleted as a whole",
    "stop_signal": "the environment is deleted as a whole",
    "pull_policy": "the operator decides",
    "develop": "is for development",
    "privileged": "containers of a run have no privileges",
    "cap_add": "containers of a run have no capabilities",
    "cap_drop": "containers of a run have no capabilities to begin with",
    "security_opt": "set by the run",
    "read_only": "the root file system of a run's containers is read-only anyway",
    "network_mode": "every part of a run has its own address",
    "extra_hosts": "a run reaches its own parts and DNS, nothing else",
    "secrets": "name a Secret with env[].valueFrom.secretKeyRef",
    "configs": "put it into the image, or into env[].valueFrom.configMapKeyRef",
    "extends": "only services of the same file are followed",
}
