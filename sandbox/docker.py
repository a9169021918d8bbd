"""Runs the process sandbox's warm runner in a hardened container, as a second wall around its own; or under gVisor.

The container has no network, no capabilities, no writable file and no user of the host; the only thing mounted
is a read-only directory with the socket that driver and runner talk over. Arrays lie in memory files that pass
through that socket, so a call costs what it costs without Docker. A runner ends with its driver and its
container with it; containers that a killed engine left behind are removed when the next one starts.

Under gVisor a program's system calls reach a kernel of its own, which is an ordinary program, written in a memory-safe
language and confined by the host's filters, in place of the host's. No memory and no socket passes its boundary, so
tokens and arrays travel over the container's standard streams, which costs a call a hundred times what it costs
elsewhere: for programs that are hostile in earnest, not for searching. gVisor has no Landlock. The system call filter,
which it has, lets nothing be opened for writing, nothing writable is mounted, and what can be read are the image's own
files, which hold nothing secret.

Needs the Python package ``docker`` (``pip install 'evolve-marl[docker]'``), a daemon (``DOCKER_HOST`` or the
usual socket) whose file system is this one, and the image that ``make sandbox-image`` builds. Access to a Docker
daemon amounts to root on its host: the process sandbox asks for less. gVisor needs a daemon that knows the runtime
``runsc``.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import socket
import struct
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.base import Level, SandboxFault, Verdict
from sandbox.link import ENVIRONMENT, START_S, RunnerLink, StreamTransport
from sandbox.process import RUNNER, WarmSandbox, packages
from sandbox.runner.frames import SocketStream, readable

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container as DockerContainer

OWNER = "evolve.sandbox.owner"
"""Label of every container: the process that it belongs to (see `owner`)."""

RUNTIME = "runsc"

PYTHON, SITE, RUNNER_INSIDE = "/usr/local/bin/python3", "/opt/site", "/opt/runner"
"""Where an image has the interpreter, the packages and the runner."""

_CONTROL = "/control"
_MEMORY = "2g"
_PIDS = 128
_NOFILE = 256

_HEADER = struct.Struct(">BxxxI")
"""Before every piece of output: 1 or 2 for the stream, and its length."""
_ERRORS = 2
_CHUNK = 1 << 16


class DockerSandbox(WarmSandbox):
    """Implements `sandbox.base.Sandbox`: a warm runner in a container, and a child of it per session."""

    def __init__(self, *, modules: Sequence[str] = ("numpy",), cpu: int | None = None) -> None:
        """Start a container.

        Args:
            modules: importable names that guests and programs may use beside the standard library.
            cpu: the core that the container stays on; by default those of the caller.

        Raises:
            SandboxFault: `SANDBOX_ERROR`, in one line what is missing and what to do.
        """
        self._cpus = {cpu} if cpu is not None else os.sched_getaffinity(0)
        self._client = connect()
        try:
            sweep(self._client)
            super().__init__(modules)
        except BaseException:
            self._client.close()
            raise

    @property
    def level(self) -> Level:
        """Return the isolation that the runner achieved: without its own layers a container is not enough."""
        return Level.DOCKER if self._holds("landlock", "seccomp") else Level.RLIMITS

    def close(self) -> None:
        """Stop the container."""
        super().close()
        self._client.close()

    def _start(self) -> RunnerLink:
        from docker.types import Mount

        with _listening() as (directory, listener):
            mount = Mount(_CONTROL, str(directory), type="bind", read_only=True)
            host = self._run(["--connect", f"{_CONTROL}/socket"], mounts=[mount])
            try:
                control = SocketStream(_accept(listener, host))
            except BaseException:
                host.kill()
                host.release()
                raise
        return RunnerLink.start(host, control, self._config())

    def _config(self) -> dict[str, Any]:
        """Return the runner's configuration: the container brings namespaces and cores."""
        return {"modules": self.modules, "namespaces": False, "cpu": None, "parent": None}

    def _run(self, arguments: Sequence[str], **options: Any) -> Container:
        """Return a started container.

        Args:
            arguments: how its runner finds the driver.
            options: what its creation needs beside what all have in common.

        Raises:
            SandboxFault: `SANDBOX_ERROR`: there is no image, or the daemon does not start it.
        """
        from docker.errors import APIError

        try:
            host = Container(self._create(arguments, options), stdin="stdin_open" in options)
            try:
                host.docker.start()
            except BaseException:
                host.kill()
                host.release()
                raise
        except APIError as error:
            text = f"docker: the container does not start: {error.explanation}"
            raise SandboxFault(Verdict.SANDBOX_ERROR, text[:2000]) from None
        return host

    def _create(self, arguments: Sequence[str], options: dict[str, Any]) -> DockerContainer:
        from docker.errors import ImageNotFound
        from docker.types import LogConfig, Ulimit

        limits = {"core": 0, "nofile": _NOFILE}
        try:
            return self._client.containers.create(
                reference(),
                [*arguments, *(f"{name}={SITE}" for name in packages(self.modules))],
                environment=ENVIRONMENT,
                network_mode="none",
                ipc_mode="none",
                user="65534:65534",
                read_only=True,
                cap_drop=["ALL"],
                security_opt=["no-new-privileges:true"],
                mem_limit=_MEMORY,
                memswap_limit=_MEMORY,
                pids_limit=_PIDS,
                cpuset_cpus=",".join(map(str, sorted(self._cpus))),
                ulimits=[Ulimit(name=name, soft=value, hard=value) for name, value in limits.items()],
                oom_score_adj=500,
                log_config=LogConfig(type="none"),
                auto_remove=True,
                labels={OWNER: owner()},
                **options,
            )
        except ImageNotFound:
            raise missing(f"no image {reference()}", "`make sandbox-image` builds it") from None


class GvisorSandbox(DockerSandbox):
    """Implements `sandbox.base.Sandbox`: a container under gVisor, and a child of its runner per session."""

    _transport = StreamTransport

    @property
    def level(self) -> Level:
        """Return the isolation that the runner achieved: `GVISOR` needs a filter, and a kernel that is not this one."""
        return Level.GVISOR if self._holds("seccomp", "kernel") else super().level

    @property
    def layers(self) -> Mapping[str, str]:
        """Return what holds; `kernel` is ``on`` where the runner's is not this machine's."""
        kernel = "on: its own" if self._link.own_kernel else "off: it is this machine's"
        landlock = self._link.layers["landlock"]
        if self._link.own_kernel and not landlock.startswith("on"):
            landlock = "none: gVisor has none"
        return {**self._link.layers, "landlock": landlock, "kernel": kernel}

    def _start(self) -> RunnerLink:
        if RUNTIME not in self._client.info().get("Runtimes", {}):
            raise missing(
                f"the daemon has no runtime {RUNTIME}",
                f"install gVisor and start the daemon with --add-runtime {RUNTIME}=<path of {RUNTIME}>",
            )
        # gVisor mounts a writable directory there unless something is mounted already.
        nothing = {"/tmp": "ro,size=4k"}
        options: dict[str, Any] = {"runtime": RUNTIME, "stdin_open": True, "tmpfs": nothing}
        host = self._run(["--streams"], **options)
        return RunnerLink.start(host, host, self._config())


class Container:
    """Implements `sandbox.link.Host`: the runner is the first process of a container.

    Implements `sandbox.link.Control` too, over input and output, which the daemon carries in one connection; what the
    error stream says is kept apart.
    """

    def __init__(self, container: DockerContainer, *, stdin: bool) -> None:
        """Attach to `container`, which does not run yet.

        Args:
            container: the container.
            stdin: whether to keep its input open for frames; with the connection it ends.
        """
        self.docker = container
        params = {"stdout": 1, "stderr": 1, "stream": 1} | ({"stdin": 1} if stdin else {})
        self._attached: Any = container.attach_socket(params=params)
        # The client wraps the socket in a file for reading only.
        self._socket = socket.socket(fileno=os.dup(self._attached.fileno()))
        self._pieces = bytearray()
        self._output = bytearray()
        self._ended = False
        self._errors = bytearray()

    def settimeout(self, timeout_s: float) -> None:
        """Limit how long sending or receiving may stand still before it raises `TimeoutError`."""
        self._socket.settimeout(timeout_s)

    def send(self, data: bytes | memoryview, fds: Sequence[int] = ()) -> None:
        """Write all of `data` to the container's input.

        Raises:
            OSError: there are descriptors, which do not pass; or the connection is closed.
        """
        if fds:
            raise OSError(f"standard streams: expected no descriptors, got {len(fds)}")
        self._socket.sendall(data)

    def receive(self, size: int) -> tuple[bytes, list[int]]:
        """Return at most `size` bytes of the container's output, none when it has ended."""
        while not self._output and not self._ended:
            self._read()
        data = bytes(self._output[:size])
        del self._output[:size]
        return data, []

    def wait(self, timeout_s: float) -> bool:
        """Return whether there is output, or no more to come, within `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while not self._output and not self._ended:
            if not readable(self._socket, deadline - time.monotonic()):
                return False
            self._read()
        return True

    def ended(self, timeout_s: float) -> bool:
        """Return whether the container ends by itself within `timeout_s`, which the end of its output shows."""
        deadline = time.monotonic() + timeout_s
        while not self._ended and readable(self._socket, deadline - time.monotonic()):
            self._read()
        return self._ended

    def kill(self) -> None:
        """End and remove the container."""
        _remove(self.docker)

    def printed(self) -> str:
        """Return what it printed on its error stream."""
        return self._errors.decode(errors="replace")

    def close(self) -> None:
        """End the container's input; its output can still be read."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def release(self) -> None:
        """Close the connection."""
        self._ended = True
        self._socket.close()
        # The file is part of an HTTP response, which closes it and would miss it.
        getattr(self._attached, "_response", self._attached).close()

    def _read(self) -> None:
        """Read what there is, and sort the complete pieces into output and errors."""
        got = self._socket.recv(_CHUNK)
        self._ended = not got
        self._pieces += got
        while len(self._pieces) >= _HEADER.size:
            stream, length = _HEADER.unpack_from(self._pieces)
            end = _HEADER.size + length
            if len(self._pieces) < end:
                return
            kept = self._errors if stream == _ERRORS else self._output
            kept += self._pieces[_HEADER.size : end]
            del self._pieces[:end]


def connect() -> DockerClient:
    """Return a client of the daemon.

    Raises:
        SandboxFault: `SANDBOX_ERROR`, in one line what is missing and what to do.
    """
    try:
        import docker
    except ImportError:
        raise missing(
            "the Python package is not installed", "pip install 'evolve-marl[docker]' installs it"
        ) from None
    where = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    try:
        # The SDK leaves a socket open that it could not connect.
        if where.startswith("unix://"):
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(where.removeprefix("unix://"))
        client = docker.from_env()
        client.ping()
    except (OSError, docker.errors.DockerException):
        raise missing(
            f"no daemon answers at {where}", "start one, or set DOCKER_HOST to its address"
        ) from None
    return client


def missing(what: str, remedy: str) -> SandboxFault:
    """Return the fault for a machine where Docker sandboxes cannot run: what is missing, and what to do."""
    return SandboxFault(Verdict.SANDBOX_ERROR, f"docker: {what}; {remedy}.")


def reference() -> str:
    """Return name and tag of the image that belongs to this version of the runner."""
    digest = hashlib.sha256()
    for path in sorted(RUNNER.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return f"evolve-sandbox:{digest.hexdigest()[:16]}"


def owner() -> str:
    """Return what identifies this process for ever: boot, process namespace, process id and start time."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot} {Path('/proc/self/ns/pid').readlink()} {os.getpid()} {_started(os.getpid())}"


def sweep(client: DockerClient) -> int:
    """Remove the containers of dead processes, and return how many there were.

    Those of another boot or of processes that cannot be seen from here are left alone.
    """
    mine = owner().split()
    removed = 0
    for container in client.containers.list(all=True, ignore_removed=True, filters={"label": OWNER}):
        theirs = str(container.labels.get(OWNER, "")).split()
        if len(theirs) == len(mine) and theirs[:2] == mine[:2] and _started(int(theirs[2])) != theirs[3]:
            _remove(container)
            removed += 1
    return removed


def _started(pid: int) -> str:
    """Return when the process `pid` started, in ticks since the boot; "" when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except OSError:
        return ""


def _remove(container: DockerContainer) -> None:
    from docker.errors import APIError

    # It is gone already, or going.
    with contextlib.suppress(APIError):
        container.remove(force=True)


@contextlib.contextmanager
def _listening() -> Iterator[tuple[Path, socket.socket]]:
    """Make a directory with a socket that any user may connect to; both go once the runner has connected."""
    directory = Path(tempfile.mkdtemp(prefix="evolve-sandbox-"))
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(directory / "socket"))
        (directory / "socket").chmod(0o666)
        directory.chmod(0o755)
        listener.listen(1)
        yield directory, listener
    finally:
        listener.close()
        shutil.rmtree(directory, ignore_errors=True)


def _accept(listener: socket.socket, host: Container) -> socket.socket:
    """Return the connection from the runner in `host`.

    Raises:
        SandboxFault: `SANDBOX_ERROR`: the container ended, or its runner does not see the socket.
    """
    deadline = time.monotonic() + START_S
    listener.settimeout(0.1)
    while time.monotonic() < deadline:
        with contextlib.suppress(TimeoutError):
            return listener.accept()[0]
        if host.ended(0.0):
            raise SandboxFault(
                Verdict.SANDBOX_ERROR, f"docker: the container ended: {host.printed()[-1500:]}"
            )
    raise missing(
        f"nothing connected within {START_S:g} s",
        "the daemon must see this machine's files; a remote one does not",
    )
