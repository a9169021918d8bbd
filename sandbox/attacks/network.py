"""Lists attacks over the network and between processes; planted listeners count those that reach them."""

from __future__ import annotations

from sandbox.attacks.base import CONTAINED, Attack
from sandbox.base import Verdict

NETWORK = (
    Attack(36, "open a socket", "import socket\nreturn through(socket.socket)", CONTAINED, short=True),
    Attack(36, "socket by system call", "return libc.socket(2, 1, 0) >= 0", CONTAINED),
    Attack(
        36,
        "connect over loopback",
        "import socket\nreturn through(socket.create_connection, ('127.0.0.1', PORT), 1)",
        CONTAINED,
    ),
    Attack(
        37,
        "connect to a socket in the file system",
        "import socket\nreturn through(lambda: socket.socket(socket.AF_UNIX).connect(SOCKET))",
        CONTAINED,
    ),
    Attack(
        37,
        "connect to Docker",
        "import socket\nreturn through(lambda: socket.socket(socket.AF_UNIX).connect('/var/run/docker.sock'))",
        CONTAINED,
    ),
    Attack(
        38,
        "connect to an abstract socket",
        "import socket\nreturn through(lambda: socket.socket(socket.AF_UNIX).connect(ABSTRACT))",
        CONTAINED,
    ),
    Attack(38, "socket pair", "import socket\nreturn through(socket.socketpair)", CONTAINED),
    Attack(39, "shared segment", "return libc.shmget(1, 4096, 0o1600) >= 0", CONTAINED),
    Attack(39, "named shared memory", "return libc.shm_open(b'/marker', 66, 0o600) >= 0", CONTAINED),
    Attack(39, "message queue", "return call(240, 180, b'marker', 66, 0o600, 0) >= 0", CONTAINED),
    Attack(39, "keyring", "call(250, 219, 0, 0, 0)", Verdict.VIOLATION, "no program needs"),
    Attack(40, "asynchronous calls", "call(425, 425, 1, 0)", Verdict.VIOLATION),
    Attack(
        41,
        "ask for an address",
        "import socket\nreturn through(socket.getaddrinfo, 'example.org', 80)",
        CONTAINED,
    ),
)
