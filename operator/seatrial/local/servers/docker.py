"""A server in a container: the Docker client in the foreground is the process, its end is the container's.

The client hands signals on to the container, but not SIGKILL: that is what `Launch.cleanup` is for.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from seatrial.local.servers import influxdb as influxd
from seatrial.local.servers.docker_client import LABEL, find_docker, root_of
from seatrial.local.servers.kafka_settings import settings
from seatrial.local.servers.model import Launch, Unfit, Wanted
from seatrial.local.servers.postgres_settings import settings as postgres_settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from seatrial.local.servers.search import Search

IMAGES = {
    "redis": ("redis:{}-alpine", "8"),
    "postgres": ("postgres:{}-alpine", "17"),
    "kafka": ("apache/kafka:{}", "4.1.1"),
    "influxdb": ("influxdb:{}", "2.7"),
    "redpanda": ("redpandadata/redpanda:v{}", "26.1.14"),
}
"""Public images by service, and the version that the operator's catalogue has by default."""
_PATCHES = {("kafka", "4.1"): "4.1.1", ("redpanda", "26.1"): "26.1.14"}
"""Their images have no tag without the patch release."""

# A here-document, so that the password is in no list of processes.
_REDIS = """exec redis-server - <<END
requirepass $REDIS_PASSWORD
save ""
appendonly no
END
"""
# The image's own script makes a superuser; the run's role is none in a cluster either.
_POSTGRES = r"""cat > /docker-entrypoint-initdb.d/role.sh <<'END'
psql -v ON_ERROR_STOP=1 --username=postgres --no-password <<'SQL'
\getenv user DATABASE_USER
\getenv password DATABASE_PASSWORD
\getenv name DATABASE_NAME
CREATE ROLE :"user" LOGIN CREATEDB CREATEROLE PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"user";
SQL
END
export POSTGRES_PASSWORD="$DATABASE_PASSWORD"
exec docker-entrypoint.sh postgres "$@"
"""


def redis(wanted: Wanted, search: Search) -> Launch | Unfit:
    """Redis itself, never Valkey."""
    return _run(wanted, search, {wanted.address.port: 6379}, ("sh", "-c", _REDIS), variables=("REDIS_PASSWORD",))


def postgres(wanted: Wanted, search: Search) -> Launch | Unfit:
    """The data folder is in the container's memory."""
    inside = 5432
    names = ("DATABASE_USER", "DATABASE_PASSWORD", "DATABASE_NAME")
    # Its script reaches the server through the socket.
    arguments = postgres_settings("*", inside, socket="/var/run/postgresql")
    command = ("sh", "-c", _POSTGRES, "postgres", *arguments)
    options = ("--tmpfs", "/pgdata", "--env", "PGDATA=/pgdata")
    return _run(wanted, search, {wanted.address.port: inside}, command, variables=names, options=options)


def influxdb(wanted: Wanted, search: Search) -> Launch | Unfit:
    """The server without the image's script, which would set it up."""
    inside = 8086
    command = influxd.arguments(f"0.0.0.0:{inside}", "/data")
    options = ("--tmpfs", "/data", "--entrypoint", "influxd")
    return _run(wanted, search, {wanted.address.port: inside}, command, options=options)


def kafka(wanted: Wanted, search: Search) -> Launch | Unfit:
    """The port is the same inside and outside: clients are sent to the one that the broker knows."""
    port, controller = wanted.address.port, wanted.extra_ports["controller"]
    own = {
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listeners": f"PLAINTEXT://0.0.0.0:{port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://{wanted.address.host}:{port}",
        "log.dirs": "/tmp/kraft-combined-logs",  # noqa: S108  # in the container
        "auto.create.topics.enable": wanted.options.get("KAFKA_AUTO_CREATE_TOPICS", "true"),
    }
    # The image reads `a.b` from KAFKA_A_B.
    pairs = {f"KAFKA_{name.upper().replace('.', '_')}": value for name, value in {**settings(), **own}.items()}
    options = tuple(word for name, value in pairs.items() if value for word in ("--env", f"{name}={value}"))
    return _run(wanted, search, {port: port}, (), options=options)


def redpanda(wanted: Wanted, search: Search) -> Launch | Unfit:
    """As the plan's pod runs it, but for the addresses."""
    port, registry, loopback = wanted.address.port, 8081, 9093
    moved = ("--kafka-addr=", "--advertise-kafka-addr=")
    kept = tuple(argument for argument in wanted.arguments if not argument.startswith(moved))
    addresses = (
        f"--kafka-addr=internal://0.0.0.0:{port},local://127.0.0.1:{loopback}",
        f"--advertise-kafka-addr=internal://{wanted.address.host}:{port},local://127.0.0.1:{loopback}",
    )
    ports = {port: port} | (
        {wanted.extra_ports["registry"]: registry} if "SCHEMA_REGISTRY_URL" in wanted.variables else {}
    )
    return _run(wanted, search, ports, (*kept, *addresses))


def _run(
    wanted: Wanted,
    search: Search,
    ports: Mapping[int, int],
    command: Sequence[str],
    *,
    variables: Sequence[str] = (),
    options: Sequence[str] = (),
) -> Launch | Unfit:
    """`ports` by the port on this machine; `variables` reach the container through the client's environment."""
    docker = find_docker(search)
    if isinstance(docker, str):
        return Unfit("Docker", docker)
    program = docker.program
    image = _image(wanted)
    there = search.ask(program, "image", "inspect", "--format", "{{.Id}}", image).ok
    if search.offline and not there:
        return Unfit("Docker", f"the image {image} is not there, and nothing may be fetched")
    name = f"seatrial-{wanted.service}-{wanted.address.port}"
    published = [
        word for port, inside in ports.items() for word in ("--publish", f"{wanted.address.host}:{port}:{inside}")
    ]
    passed = [word for variable in variables for word in ("--env", variable)]
    return Launch(
        command=(
            program,
            "run",
            "--rm",
            "--init",
            f"--name={name}",
            f"--label={LABEL}={root_of(wanted.folder).name}",
            "--pull=never",
            *published,
            *passed,
            *options,
            image,
            *command,
        ),
        env={**search.environment, **{variable: wanted.variables[variable] for variable in variables}},
        folder=wanted.folder,
        provider=f"{image} in Docker {docker.version}",
        # Not by `run --quiet`, which clients before 23 do not know.
        prepare=() if there else ((program, "pull", "--quiet", image),),
        stop=signal.SIGTERM,
        cleanup=((program, "rm", "--force", "--volumes", name),),
        docker=docker,
    )


def _image(wanted: Wanted) -> str:
    pattern, default = IMAGES[wanted.service]
    version = wanted.version or default
    return pattern.format(_PATCHES.get((wanted.service, version), version))
