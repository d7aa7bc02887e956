"""Real sshd processes on loopback, with users that exist only for them.

Each server runs in a mount namespace of its own, where copies stand in for the machine's user database and sudo rules:
nothing of the machine changes, even where a test run is killed.
"""

import contextlib
import functools
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

FIRST_UID = 51000
START_SECONDS = 60.0


def ssh_keygen(path: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    """Make a key pair."""
    command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", path.name, "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


@functools.cache
def sshd_version() -> tuple[int, ...]:
    """The version of OpenSSH's server; from 9.8 on it turns away for a while who has failed to log in."""
    # Older ones do not know the option, and say it as well.
    said = subprocess.run(["/usr/sbin/sshd", "-V"], capture_output=True, text=True, check=False)
    found = re.search(r"OpenSSH_(\d+)\.(\d+)", said.stdout + said.stderr)
    assert found is not None, said
    return tuple(int(number) for number in found.groups())


def public_key(path: Path) -> str:
    """Type and base64 of the public half."""
    return " ".join(Path(f"{path}.pub").read_text().split()[:2])


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@dataclass
class User:
    """A user of one server.

    Attributes:
        name: Login name.
        login_shell: Path of a shell.
        sudo: The rest of this user's line in sudoers; no line where empty.
        sudo_defaults: The rest of a `Defaults` line for this user.
        password_hash: `*` lets nobody in by password.
        files: Contents of files in the home directory.
    """

    name: str
    login_shell: str = "/bin/bash"
    sudo: str = "ALL=(ALL:ALL) NOPASSWD: ALL"
    sudo_defaults: str = ""
    password_hash: str = "*"
    files: dict[str, str] = field(default_factory=dict)


def _wait_until_stopped(pid: int) -> None:
    """Wait for a process that was sent SIGSTOP; until then it may still start others."""
    with contextlib.suppress(OSError):
        for _ in range(1000):  # one that waits for a stopped child of its own never stops
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "TtZX":
                return
            time.sleep(0.001)


class Sshd:
    """One server; `start` and `stop` it, or use it as a context."""

    def __init__(
        self, folder: Path, users: list[User], *, host_keys: tuple[str, ...] = ("ed25519",), config: str = ""
    ) -> None:
        self.folder = folder
        self.users = users
        self.port = free_port()
        self.config = config
        self.log = folder / "sshd.log"
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.host_keys = [ssh_keygen(folder / f"host_{kind}", kind) for kind in host_keys]

    def known_hosts_line(self, name: str = "127.0.0.1", index: int = 0) -> str:
        return f"[{name}]:{self.port} {public_key(self.host_keys[index])}\n"

    def authorize(self, *keys: Path) -> None:
        """Let these keys in as every user."""
        (self.folder / "authorized_keys").write_text("".join(f"{public_key(key)}\n" for key in keys))

    def home(self, name: str) -> Path:
        return self.folder / "home" / name

    def connections(self) -> int:
        """How many TCP connections have been made."""
        return self.log.read_text().count("Connection from ")

    def start(self) -> None:
        # What an earlier start has said is no sign of this one.
        said = self.log.stat().st_size if self.log.exists() else 0
        binds = self._write_files()
        mounts = "".join(f"mount --bind '{copy}' '{original}'\n" for original, copy in binds.items())
        # /run may lack sshd's own folder where no sshd was ever started.
        script = (
            f"set -e\nmount -t tmpfs none /run\nmkdir -p /run/sshd /run/sudo\n{mounts}"
            f"exec /usr/sbin/sshd -D -e -f '{self.folder}/sshd_config'\n"
        )
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", script],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait_until_listening(said)

    def _wait_until_listening(self, said: int) -> None:
        assert self.process is not None
        deadline = time.monotonic() + START_SECONDS
        while b"Server listening" not in self.log.read_bytes()[said:]:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"sshd did not start: {self.log.read_text()}")
            time.sleep(0.01)

    def children(self) -> list[int]:
        """Process ids of everything that this server has started."""
        assert self.process is not None
        found, todo = [], [self.process.pid]
        while todo:
            parent = todo.pop()
            with contextlib.suppress(OSError):
                todo += [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
            found.append(parent)
        return found[1:]

    def freeze(self) -> None:
        """Stop the server and its sessions; connections are still accepted by the kernel."""
        assert self.process is not None
        stopped: set[int] = set()
        # A session may be starting a process of its own at this moment.
        while new := {self.process.pid, *self.children()} - stopped:
            for pid in new:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
            stopped |= new
            for pid in new:
                _wait_until_stopped(pid)

    def thaw(self) -> None:
        assert self.process is not None
        for pid in [self.process.pid, *self.children()]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def stop(self) -> None:
        if self.process is None:
            return
        for pid in [*self.children(), self.process.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    def __enter__(self) -> "Sshd":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _write_files(self) -> dict[str, Path]:
        """Copies of what this server and sudo read, by the path that they replace."""
        etc = self.folder / "etc"
        etc.mkdir(exist_ok=True)
        passwd, shadow, group = (Path(f"/etc/{name}").read_text() for name in ("passwd", "shadow", "group"))
        # Root's own start-up files are nobody's business here.
        self.home("root").mkdir(parents=True, exist_ok=True)
        passwd = f"root:x:0:0:root:{self.home('root')}:/bin/bash\n{passwd}"
        # Without fqdn, sudo does not say that the name of this computer can not be resolved, where it can not.
        sudoers = "Defaults env_reset\nDefaults !fqdn\nDefaults lecture=always\nroot ALL=(ALL:ALL) ALL\n"
        for number, user in enumerate(self.users):
            uid = FIRST_UID + number
            home = self.home(user.name)
            passwd += f"{user.name}:x:{uid}:{uid}::{home}:{user.login_shell}\n"
            shadow += f"{user.name}:{user.password_hash}:19000:0:99999:7:::\n"
            group += f"{user.name}:x:{uid}:\n"
            sudoers += f"{user.name} {user.sudo}\n" if user.sudo else ""
            sudoers += f"Defaults:{user.name} {user.sudo_defaults}\n" if user.sudo_defaults else ""
            home.mkdir(parents=True, exist_ok=True)
            for name, text in user.files.items():
                (home / name).parent.mkdir(parents=True, exist_ok=True)
                (home / name).write_text(text)
            for path in [home, *home.rglob("*")]:
                shutil.chown(path, uid, uid)
        contents = {
            "passwd": (passwd, 0o644),
            "shadow": (shadow, 0o600),
            "group": (group, 0o644),
            "sudoers": (sudoers, 0o440),
        }
        for name, (text, mode) in contents.items():
            (etc / name).write_text(text)
            (etc / name).chmod(mode)
        lines = [
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            *(f"HostKey {key}" for key in self.host_keys),
            f"AuthorizedKeysFile {self.folder}/authorized_keys",
            "StrictModes no",
            "UsePAM no",
            "PermitRootLogin yes",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            # The one option whose last value wins.
            *(["MaxStartups 200"] if "MaxStartups" not in self.config else []),
            *(["PerSourcePenalties no"] if sshd_version() >= (9, 8) else []),
            "LogLevel VERBOSE",
            "PidFile none",
            "UseDNS no",
        ]
        # A value that comes first wins in sshd_config, so what a test wants stands before the rest.
        (self.folder / "sshd_config").write_text("\n".join([self.config, *lines]) + "\n")
        return {f"/etc/{name}": etc / name for name in contents}


class SlowRoad:
    """Carries TCP connections to a port of loopback, each byte a while later, and notes who spoke when.

    Attributes:
        port: Where it listens.
        speakers: `c` for each piece that came from the client, `s` from the server.
    """

    def __init__(self, target: int, delay: float) -> None:
        self.speakers: list[str] = []
        self._target = target
        self._delay = delay
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._serve)]
        self._threads[0].start()

    def turns(self) -> int:
        """How often the client had to wait for the server before it could go on, and did."""
        return "".join(self.speakers).replace("s", " ").count(" c") + 1

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                for sock in (client, server):
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                carriers = [
                    threading.Thread(target=self._carry, args=(client, server, "c")),
                    threading.Thread(target=self._carry, args=(server, client, "s")),
                ]
                self._threads += carriers
                for thread in carriers:
                    thread.start()

    def _carry(self, source: socket.socket, sink: socket.socket, speaker: str) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                self.speakers.append(speaker)
                time.sleep(self._delay)
                sink.sendall(data)
        for sock in (source, sink):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        if speaker == "c":
            return
        time.sleep(self._delay)
        source.close()
        sink.close()


@contextlib.contextmanager
def ssh_agent(*keys: Path) -> Iterator[str]:
    """A running agent that holds these keys; yields the path of its socket."""
    process = subprocess.Popen(["ssh-agent", "-D"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        path = process.stdout.readline().split("=", 1)[1].split(";")[0]
        for key in keys:
            subprocess.run(["ssh-add", "-q", str(key)], check=True, env={**os.environ, "SSH_AUTH_SOCK": path})
        yield path
    finally:
        process.terminate()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
