"""How PostgreSQL is set up and run: as in the image (images/postgres), and on one address only."""

from __future__ import annotations

from seatrial.local.servers.programs import PrepareError

BUILTIN_LOCALE = 17
"""First version that brings the locale C.UTF-8 itself."""

_SETTINGS = {
    "password_encryption": "scram-sha-256",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "min_wal_size": "2MB",
    "max_wal_size": "24MB",
    "checkpoint_warning": "0",
    "log_checkpoints": "off",
    "autovacuum": "off",
    "jit": "off",
    "shared_buffers": "16MB",
    "max_connections": "100",
    "dynamic_shared_memory_type": "mmap",  # in the data folder, which is removed
    "log_min_messages": "warning",
    "logging_collector": "off",
}


def settings(host: str, port: int, *, socket: str = "") -> tuple[str, ...]:
    """Arguments of the server. Without a folder for its socket it has none: the path could be too long."""
    own = {"listen_addresses": host, "port": str(port), "unix_socket_directories": socket}
    return tuple(word for name, value in {**own, **_SETTINGS}.items() for word in ("-c", f"{name}={value}"))


def initdb_options(major: int, system: str) -> tuple[str, ...]:
    """Small segments, since the folder is copied at every start. The superuser has no password: it cannot log in."""
    if major >= BUILTIN_LOCALE:
        locale: tuple[str, ...] = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    else:
        locale = ("--locale=C.UTF-8" if system == "Linux" else "--locale=C",)
    access = ("--auth-local=reject", "--auth-host=scram-sha-256")
    return ("--username=postgres", "--wal-segsize=1", "--encoding=UTF8", *locale, *access, "--no-sync")


def role(user: str, database: str) -> str:
    """The statements that make the run's role and its database, one a line."""
    owner, name = identifier(user), identifier(database)
    created = "" if user == "postgres" else f"CREATE ROLE {owner} LOGIN CREATEDB CREATEROLE;\n"
    if database == "postgres":
        return f"{created}ALTER DATABASE {name} OWNER TO {owner};\n"
    return f"{created}CREATE DATABASE {name} OWNER {owner};\n"


def password(user: str, secret: str) -> str:
    """The statement that gives the role its password."""
    return f"ALTER ROLE {identifier(user)} PASSWORD {literal(secret)};\n"


def identifier(name: str) -> str:
    """A name, quoted for SQL. Raises PrepareError for what is not one line."""
    return '"' + _one_line(name).replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string, quoted for SQL. Raises PrepareError for what is not one line."""
    return "'" + _one_line(text).replace("'", "''") + "'"


def _one_line(text: str) -> str:
    """The server's single-user mode reads a statement a line."""
    if "\n" in text or "\0" in text:
        raise PrepareError("user, password and name of the database must each be one line")
    return text
