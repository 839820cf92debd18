"""PID 1 of a suite's container: waits at the gate, runs pytest, ends it in time and tells how it ended.

Mounted alone into any image with Python 3.8 or later: the standard library only, and little of it, because what this
file imports stands between a created container and its first test. The variables it reads and the records it writes are
described in ARCHITECTURE.md, "The suite pod".
"""

# Importing pathlib, contextlib or what only some runs need takes milliseconds.
# ruff: noqa: PLC0415, PTH100, PTH109, PTH118, PTH120, PTH123, PTH208, SIM105
from __future__ import annotations

import _thread
import json
import os
import re
import select
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

NOT_RUN = 69
"""Exit status when pytest never ran (EX_UNAVAILABLE): none of pytest's own."""
TIMED_OUT = 124
TAIL_BYTES = 8192
"""As much as the fault handler writes about a test deep inside pytest, whose innermost frames come first."""
MESSAGE_BYTES = 2048
OUTPUT_BYTES = 16 << 20
"""Of each of stdout and stderr; what comes after would only rotate what came before out of the container's log."""
CHUNK = 1 << 16
NAP_SECONDS = 0.005
CONNECT_SECONDS = 0.3
"""A lost SYN is repeated after a whole second; a new attempt is faster."""
F_SETPIPE_SZ = 1031
CREDENTIAL = rb"strl[0-9a-f]{8,48}"
"""What a run's credentials look like; tests love to print the URLs that they are in."""
CREDENTIAL_BYTES = 52
UNFINISHED = re.compile(rb"s(?:t(?:r(?:l[0-9a-f]{0,47})?)?)?\Z")
"""How a chunk ends in which one has only begun."""
REDACTED = b"[redacted]"

# ------------------------------------------------------------------ the gate


def wait_at_gate(url: str, seconds: float) -> tuple[str, str]:
    """Ask until the gate opens: ``("open", "")``, ``("failed", what the gate said)`` or ``("timeout", message)``."""
    import socket  # while pytest is being imported in the child

    host, port, path = split_url(url)
    start = time.monotonic()
    seen = "no attempt was made"
    while True:
        left = start + seconds - time.monotonic()
        if left <= 0:
            return "timeout", f"the gate {url} did not open within {seconds:g} s; last attempt: {seen}"
        pause = 0.01
        try:
            status, body = ask(host, port, path, left)
            if status == 200:  # noqa: PLR2004
                return "open", ""
            if status == 503:  # noqa: PLR2004
                return "failed", body
            seen, pause = f"HTTP {status} instead of 200 or 503", 0.1
        except socket.gaierror as error:
            seen, pause = f"the name {host} does not resolve ({error.strerror})", 0.025
        except socket.timeout:
            seen = "no answer (the gate was still closed)"
        except OSError as error:
            seen = f"{error.strerror or error}"
        except ValueError:
            seen, pause = "an answer that is not HTTP", 0.1
        time.sleep(pause)


def split_url(url: str) -> tuple[str, int, str]:
    """Host, port and path of ``http://host:port/path``."""
    scheme, _, rest = url.partition("://")
    address, _, path = rest.partition("/")
    host, _, port = address.rpartition(":")
    if scheme != "http" or not host or not port.isdigit():
        raise ValueError(f"SEATRIAL_GATE is {url!r}; expected http://host:port/path")
    return host.strip("[]"), int(port), "/" + path


def ask(host: str, port: int, path: str, seconds: float) -> tuple[int, str]:
    """One GET, whose answer may take as long as it likes within ``seconds``."""
    import socket

    with socket.create_connection((host, port), timeout=min(seconds, CONNECT_SECONDS)) as connection:
        connection.settimeout(seconds)
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
        data = receive(connection, b"\r\n")
        status = int(data.split(b" ", 2)[1]) if data.startswith(b"HTTP/1.") and b"\r\n" in data else None
        if status is None:
            raise ConnectionResetError("the connection was closed without an answer") if not data else ValueError
        if status == 200:  # noqa: PLR2004  # what follows is of no interest
            return status, ""
        connection.settimeout(2)
        data = receive(connection, None, data)
        return status, data.partition(b"\r\n\r\n")[2].decode("utf-8", "replace").strip()


def receive(connection: Any, until: bytes | None, data: bytes = b"") -> bytes:
    """What arrives up to a mark, a complete body or the end of the connection; 16 KiB at most."""
    while len(data) < 1 << 14 and (until is None or until not in data):
        head, mark, body = data.partition(b"\r\n\r\n")
        for line in head.lower().split(b"\r\n") if mark else ():
            if line.startswith(b"content-length:") and len(body) >= int(line.split(b":")[1]):
                return data
        try:
            more = connection.recv(4096)
        except OSError:
            if until is None:
                return data  # the status is known; its text is a courtesy
            raise
        if not more:
            return data
        data += more
    return data


# ------------------------------------------------------------------ the child


def run_pytest(args: list[str], go: int, trouble: int) -> NoReturn:
    """Import pytest, wait for the gate, then be ``python -m pytest``. Runs in the child and never returns."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [os.getcwd(), here, *(path for path in sys.path if path != here)]
    sys.dont_write_bytecode = True
    try:
        import pytest
        from _pytest.config import default_plugins

        if int(pytest.__version__.split(".")[0]) < 7:  # noqa: PLR2004
            raise ImportError(f"pytest 7 or later is needed, this is {pytest.__version__}")  # noqa: TRY301
        for name in (*("_pytest." + plugin for plugin in default_plugins), "pytest_seatrial"):
            __import__(name)  # pytest would do it after the gate
        import gc
        import runpy

        gc.freeze()  # else pytest's last five collections visit all of this: 15 ms in front of each verdict
    except Exception as error:  # noqa: BLE001  # whatever a broken installation raises
        text = f"{type(error).__name__}: {error}"
        os.write(trouble, text.encode("utf-8", "backslashreplace")[:MESSAGE_BYTES])
        os._exit(NOT_RUN)
    os.close(trouble)
    if os.read(go, 1) != b"g":
        os._exit(NOT_RUN)
    os.close(go)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(write_through=True)  # type: ignore[union-attr]  # as PYTHONUNBUFFERED says to those that start anew
    sys.argv[:] = ["pytest", *args]
    try:
        runpy.run_module("pytest", run_name="__main__", alter_sys=True)
    finally:
        gc.freeze()  # else the interpreter's last collections visit every object: 20 ms in front of each verdict
    raise SystemExit(0)


def forbid_core_dumps() -> None:
    """A dump of gigabytes would delay the end of a crash that the fault handler describes anyway."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    except (ImportError, OSError, ValueError):
        pass


def child_environment(shard: str) -> dict[str, str]:
    """What the child gets in addition: the image's root file system is read-only, and its user has no home."""
    home = os.environ.get("HOME", "")
    wanted = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1", "SEATRIAL_SHARD": shard}
    wanted["TMPDIR"] = os.environ.get("TMPDIR") or "/tmp"  # noqa: S108  # a volume of the pod
    if not home or not os.access(home, os.W_OK):
        wanted["HOME"] = wanted["TMPDIR"]
    return wanted


# ------------------------------------------------------------------ output, processes, memory


class Stream:
    """One of the child's outputs on its way to ours. Keeps the end; after ``OUTPUT_BYTES`` drops what is in between."""

    def __init__(self, target: int) -> None:
        self.source, self.end = os.pipe()
        self.target = target
        self.total = 0
        self.waiting = bytearray()
        self.held = b""
        """The end of a chunk, when it may be the begin of a credential."""
        self.tail = bytearray()
        self.nap_until = 0.0
        self.open = True
        os.set_blocking(self.source, False)
        try:
            import fcntl

            fcntl.fcntl(self.source, F_SETPIPE_SZ, 1 << 20)
        except (ImportError, OSError):
            pass  # more switches between us and a test that prints a lot, that is all

    def read(self) -> int:
        """One chunk: its size, 0 when there is none now."""
        try:
            data = os.read(self.source, CHUNK)
        except BlockingIOError:
            self.take(b"")
            return 0
        if not data:
            self.take(b"")
            self.open = False
            return 0
        # Little came: let more come, or each dot of pytest would wake this process.
        self.nap_until = time.monotonic() + NAP_SECONDS if len(data) < CHUNK // 2 else 0.0
        self.take(data)
        return len(data)

    def take(self, data: bytes) -> None:
        """Take a chunk without the run's credentials; nothing stands for that nothing more comes now."""
        end = len(data)
        data = self.held + data
        self.held = b""
        if end and (part := UNFINISHED.search(data, max(0, len(data) - CREDENTIAL_BYTES + 1))):
            data, self.held = data[: part.start()], data[part.start() :]
        if CREDENTIAL[:4] in data:
            data = re.sub(CREDENTIAL, REDACTED, data)
        before = self.total
        self.total += len(data)
        self.tail += data
        del self.tail[:-TAIL_BYTES]
        self.waiting += data[: max(0, OUTPUT_BYTES - before)]
        if before <= OUTPUT_BYTES < self.total:
            self.waiting += b"\nseatrial: more than %d MiB of output; the rest is dropped\n" % (OUTPUT_BYTES >> 20)

    def write(self) -> None:
        """Pass on as much as a pipe that polls as writable takes without blocking."""
        try:
            done = os.write(self.target, self.waiting[:4096])
        except OSError:
            done = len(self.waiting)  # nobody reads our output: the tests are not to suffer for it
        del self.waiting[:done]

    def finish(self) -> None:
        """Take what is left in the pipe, but not what a process that cannot be killed adds to it for ever."""
        for _ in range(64):
            if not self.read():
                break
        if self.total > OUTPUT_BYTES:
            self.waiting += b"seatrial: the end of the output was:\n" + self.tail


def oom_kills(cgroups: str = "/sys/fs/cgroup", own: str = "/proc/self/cgroup") -> int | None:
    """How many processes of this container the kernel killed for want of memory; None when that cannot be seen."""
    places = []
    try:
        with open(own) as file:
            for line in file:
                _, controllers, path = line.rstrip("\n").split(":", 2)
                if "memory" in controllers.split(","):
                    places += [f"{cgroups}/memory{path}/memory.oom_control", f"{cgroups}/memory/memory.oom_control"]
                elif not controllers:
                    places += [f"{cgroups}{path}/memory.events", f"{cgroups}/memory.events"]
    except (OSError, ValueError):
        return None
    for place in places:
        try:
            with open(place) as file:
                for line in file:
                    name, _, value = line.partition(" ")
                    if name == "oom_kill":
                        return int(value)
        except (OSError, ValueError):
            continue
    return None


def adopt_orphans() -> None:
    """Make processes whose parent dies our children, as they are anyway when this is PID 1."""
    if os.getpid() != 1:
        try:
            import ctypes

            ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
        except (ImportError, OSError, AttributeError):
            pass  # then a daemon of a test can outlive us; in a pod we are PID 1


def die_with_supervisor(supervisor: int) -> None:
    """Ask the kernel to kill this process when the supervisor is killed; that of a pod, PID 1, takes all with it."""
    if supervisor != 1:
        try:
            import ctypes

            ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
        except (ImportError, OSError, AttributeError):
            pass


def children() -> list[int]:
    """Process ids of our children."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    if int(file.read().rpartition(b")")[2].split()[1]) == os.getpid():
                        found.append(int(name))
            except (OSError, ValueError, IndexError):
                continue
    return found


def send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


# ------------------------------------------------------------------ the supervisor


class Supervisor:
    """One run of pytest, from the start of the container to its last record."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.gate = environ.get("SEATRIAL_GATE", "")
        self.gate_seconds = float(environ.get("SEATRIAL_GATE_SECONDS") or 300)
        self.timeout = float(environ.get("SEATRIAL_TIMEOUT_SECONDS") or 600)
        self.grace = float(environ.get("SEATRIAL_GRACE_SECONDS") or 10)
        self.args = ["-p", "pytest_seatrial", *json.loads(environ.get("SEATRIAL_PYTEST_ARGS") or "[]")]
        self.shard = environ.get("SEATRIAL_SHARD") or environ.get("JOB_COMPLETION_INDEX") or "0"
        path = os.path.join(environ["SEATRIAL_RECORDS"], "records.jsonl")
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        self.records = os.open(path, flags, 0o644)
        os.fchmod(self.records, 0o644)  # the relay is another user, and the image may set a umask
        self.begin = time.monotonic()
        self.deadline: float | None = None
        self.reason: str | None = None
        self.message: str | None = None
        self.running = False
        self.pid = 0
        self.status: int | None = None
        self.stops: list[tuple[float, int]] = []
        self.gate_result = ("", "")

    def record(self, kind: str, **members: object) -> None:
        line = json.dumps({"t": kind, **members}, separators=(",", ":")).encode() + b"\n"
        try:
            size = os.fstat(self.records).st_size
            if size and os.pread(self.records, 1, size - 1) != b"\n":
                line = b"\n" + line  # somebody was killed, or ran out of space, in the middle of a line
            os.write(self.records, line)
        except OSError as error:
            sys.stderr.write(f"seatrial: the record {kind!r} is lost: {error}\n")

    def start(self) -> None:
        """Fork the child, so that it imports pytest while this process waits at the gate."""
        self.wake, wake_end = os.pipe()
        for fd in (self.wake, wake_end):
            os.set_blocking(fd, False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)  # PID 1 gets no signal that it has no handler for
        signal.set_wakeup_fd(wake_end, warn_on_full_buffer=False)
        self.record("start", at=time.time(), python=sys.version.split()[0], pid=os.getpid())
        self.oom_before = oom_kills()
        self.out, self.err = Stream(1), Stream(2)
        go, self.go = os.pipe()
        self.trouble, trouble = os.pipe()
        os.environ.update(child_environment(self.shard))
        adopt_orphans()
        supervisor = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.setsid()
            die_with_supervisor(supervisor)
            forbid_core_dumps()
            null = os.open(os.devnull, os.O_RDONLY)
            for source, target in ((null, 0), (self.out.end, 1), (self.err.end, 2)):
                os.dup2(source, target)
                os.close(source)
            for fd in (self.wake, wake_end, self.go, self.trouble, self.out.source, self.err.source, self.records):
                os.close(fd)
            run_pytest(self.args, go, trouble)
        for fd in (go, trouble, self.out.end, self.err.end):
            os.close(fd)
        os.set_blocking(self.trouble, False)
        self.gate_done, gate_end = os.pipe()

        def wait() -> None:  # a thread, because resolving a name blocks for seconds and cannot be interrupted
            try:
                self.gate_result = wait_at_gate(self.gate, self.gate_seconds) if self.gate else ("open", "")
            except Exception as error:  # noqa: BLE001  # told as the reason of the end
                self.gate_result = ("timeout", str(error))
            os.write(gate_end, b"x")

        _thread.start_new_thread(wait, ())

    def stop(self, reason: str, message: str) -> None:
        """End the child: at once before the gate and when asked twice, else gently first."""
        now = time.monotonic()
        if self.reason is not None or not self.running:
            self.stops = [(now, signal.SIGKILL)]
        elif reason == "Terminated":  # whoever asked will not wait longer than the grace either
            self.stops = [(now, signal.SIGINT), (now + max(self.grace - 2, self.grace / 2), signal.SIGKILL)]
        else:  # SIGABRT makes the fault handler, which pytest installs, print where every thread hangs
            kill = now + self.grace
            self.stops = [(now, signal.SIGINT), (kill, signal.SIGABRT), (kill + 1, signal.SIGKILL)]
        if self.reason is None:
            self.reason, self.message = reason, message

    def at_gate(self) -> None:
        """The thread that waits at the gate is done."""
        outcome, message = self.gate_result
        waited = time.monotonic() - self.begin
        if outcome == "open" and self.reason is None:
            self.running = True
            self.deadline = time.monotonic() + self.timeout
            self.record("gate", at=time.time(), seconds=round(waited, 3))
            try:
                os.write(self.go, b"g")
            except BrokenPipeError:
                pass  # the child is gone, and the loop is about to find out
        elif self.reason is None:
            self.stop("EnvironmentFailed" if outcome == "failed" else "GateTimeout", message)

    def on_signals(self) -> None:
        try:
            numbers = os.read(self.wake, 4096)
        except BlockingIOError:
            return
        if signal.SIGTERM in numbers or signal.SIGINT in numbers:
            self.stop("Terminated", "the suite's container was asked to stop")
        self.reap()

    def reap(self) -> bool:
        """Collect every process that ended; false when no child is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self.pid:
                self.status = status

    def loop(self) -> None:
        """Until the child ended: pass on its output, keep its deadline."""
        waiting_at_gate = True
        while self.status is None:
            now = time.monotonic()
            if self.deadline is not None and now >= self.deadline and self.reason is None:
                self.stop("Timeout", f"the tests were still running {self.timeout:g} s after the gate opened")
            while self.stops and self.stops[0][0] <= now:
                number = self.stops.pop(0)[1]
                send(-self.pid if number == signal.SIGKILL else self.pid, number)
            poller = select.poll()
            poller.register(self.wake, select.POLLIN)
            if waiting_at_gate:
                poller.register(self.gate_done, select.POLLIN)
            moments = [now + 60, *(moment for moment, _ in self.stops[:1])]
            if self.deadline is not None and self.reason is None:
                moments.append(self.deadline)
            for stream in (self.out, self.err):
                if stream.waiting:
                    poller.register(stream.target, select.POLLOUT)
                if stream.open and stream.nap_until > now:
                    moments.append(stream.nap_until)
                elif stream.open and len(stream.waiting) < 4 * CHUNK:
                    poller.register(stream.source, select.POLLIN)
            ready = {fd for fd, _ in poller.poll(max(0.0, min(moments) - now) * 1000 + 0.5)}
            for stream in (self.out, self.err):
                if stream.source in ready:
                    stream.read()
                if stream.target in ready and stream.waiting:
                    stream.write()
            if waiting_at_gate and self.gate_done in ready:
                waiting_at_gate = False
                self.at_gate()
            if self.wake in ready:
                self.on_signals()

    def clean_up(self) -> None:
        """Kill what the tests left running: it could write into the records, or keep the container from ending."""
        send(-self.pid, signal.SIGKILL)
        until = time.monotonic() + 2
        while time.monotonic() < until:
            if os.getpid() == 1:
                send(-1, signal.SIGKILL)
            elif self.reap():
                for pid in children():
                    send(pid, signal.SIGKILL)
            if not self.reap():
                return
            select.select([self.wake], [], [], 0.02)

    def finish(self) -> int:
        """Write the last record and give the exit status."""
        self.clean_up()
        for stream in (self.out, self.err):
            stream.finish()
        trouble = b""
        try:
            trouble = os.read(self.trouble, MESSAGE_BYTES)
        except BlockingIOError:
            pass
        if trouble and self.reason is None:
            self.reason = "NoPytest"
            self.message = (
                f"{sys.executable} (Python {sys.version.split()[0]}) of this image cannot import pytest: "
                f"{trouble.decode('utf-8', 'replace')}; the python3 that is first on the image's PATH must have pytest"
            )
        status = self.status if self.status is not None else 0
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        ran = self.running and self.reason != "NoPytest"
        killed = signal.Signals(number).name if number is not None and (self.running or self.reason is None) else None
        rc = os.WEXITSTATUS(status) if ran and number is None else None
        if killed and self.reason is None:
            self.message = f"pytest was killed by {killed}"
        oom_after = oom_kills()
        # pytest tells of an interruption and of its own defects on stdout, where warnings are on stderr.
        told = rc in (2, 3) and any(mark in self.out.tail for mark in (b"!!!!!!!!", b"INTERNALERROR>"))
        tail = self.out.tail if told or not (self.err.tail or rc in (0, 1)) else self.err.tail
        self.record(
            "end",
            at=time.time(),
            rc=rc,
            signal=killed,
            timeout=self.reason == "Timeout",
            oom=None not in (self.oom_before, oom_after) and oom_after != self.oom_before,
            stderr=tail.decode("utf-8", "replace"),
            reason=self.reason,
            message=self.message[:MESSAGE_BYTES] if self.message else None,
        )
        self.flush()
        if not ran:
            return NOT_RUN
        if number is not None:
            return 128 + number
        return rc or (0 if self.reason is None else TIMED_OUT)

    def flush(self) -> None:
        """Pass on the rest of the output, as long as somebody takes it."""
        until = time.monotonic() + 1
        for stream in (self.out, self.err):
            while stream.waiting and select.select([], [stream.target], [], max(0.0, until - time.monotonic()))[1]:
                stream.write()


def main() -> int:
    """Exit status: pytest's own, 128 + signal when it was killed, 69 when it never ran."""
    try:
        supervisor = Supervisor(dict(os.environ))
    except (KeyError, ValueError, OSError) as error:
        sys.stderr.write(f"seatrial: cannot supervise: {type(error).__name__}: {error}\n")
        return NOT_RUN
    supervisor.start()
    supervisor.loop()
    return supervisor.finish()


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)
