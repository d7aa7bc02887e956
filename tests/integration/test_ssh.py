"""The SSH transport against real servers: users, keys, shells, sudo, proxies, and everything that goes wrong."""

import contextlib
import gc
import os
import shutil
import signal
import subprocess
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from nornir.core import Nornir
from nornir.core.inventory import ConnectionOptions, Defaults, Groups, Host, Hosts, Inventory
from nornir.core.plugins.connections import ConnectionPluginRegister
from nornir.core.task import Task

from podroutes.errors import (
    AuthenticationError,
    HostKeyError,
    PrivilegeError,
    RemoteCommandError,
    RemoteTimeoutError,
    UnreachableError,
)
from podroutes.plugins.runners.interruptible_threads import InterruptibleThreads
from podroutes.script_runner import ScriptResult, ScriptRunner
from tests.integration import ssh_site
from tests.integration.ssh_server import SlowRoad, Sshd, User, public_key, ssh_agent, ssh_keygen
from tests.integration.ssh_site import Site, open_files

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="starts sshd, which needs root")

SHELLS = [path for path in ("/bin/bash", "/bin/dash", "/bin/csh", "/usr/bin/fish", "/bin/zsh") if Path(path).exists()]
NOISY_BASHRC = (
    "echo 'Welcome to this machine'\nprintf 'no newline'\necho grumble >&2\nPS1='$(date) > $ # '\nstty -echo\n"
)
# Prints before every command and understands `-c` alone, in no syntax of sh's.
ODD_SHELL = '#!/bin/sh\necho "odd shell: $#"\necho odd >&2\n[ "$1" = -c ] || exit 99\nexec $2\n'


# As pytest finds them.
folder, key, own, clean = ssh_site.folder, ssh_site.key, ssh_site.own, ssh_site.clean


@pytest.fixture(scope="module")
def site(folder: Path, key: Path) -> Iterator[Site]:
    odd = folder / "odd-shell"
    odd.write_text(ODD_SHELL)
    odd.chmod(0o755)
    (folder / "banner").write_text("Authorised use only\n")
    crypt = ["perl", "-e", "print crypt('hunter2', '$6$pepper$')"]
    password_hash = subprocess.run(crypt, capture_output=True, text=True, check=True).stdout
    users = [
        User("admin"),
        User("noisy", files={".bashrc": NOISY_BASHRC, ".hushlogin": ""}),
        User("odd", login_shell=str(odd)),
        User("nologin", login_shell="/usr/sbin/nologin"),
        User("stranger", sudo=""),
        User("careful", sudo="ALL=(ALL:ALL) ALL"),
        User("other", sudo="ALL=(ALL:ALL) NOPASSWD: /usr/bin/true"),
        User("tty", sudo_defaults="requiretty"),
        User("pty", sudo_defaults="use_pty"),
        User("secret", password_hash=password_hash),
        User("asked", sudo="ALL=(ALL:ALL) ALL", password_hash=password_hash),
        User("asked-pty", sudo="ALL=(ALL:ALL) ALL", sudo_defaults="use_pty", password_hash=password_hash),
        *(User(f"sh-{Path(shell).name}", login_shell=shell) for shell in SHELLS),
    ]
    config = f"Banner {folder}/banner\nPasswordAuthentication yes\nMaxAuthTries 4\nAcceptEnv LANG LC_*\n"
    server = Sshd(folder / "server", users, host_keys=("ed25519", "ecdsa", "rsa"), config=config)
    server.authorize(key)
    (folder / "known_hosts").write_text(server.known_hosts_line())
    with server:
        yield Site(folder, server, key)


# What a script leaves behind

# As the login shell's input, and in its command.
BOTH_WAYS = pytest.mark.parametrize("public", [False, True], ids=["input", "command"])


@BOTH_WAYS
@pytest.mark.parametrize("user", ["root", "admin", "pty"])
def test_status_stdout_and_stderr_come_back_apart(site: Site, user: str, public: bool) -> None:
    with site.connect(user) as connection:
        runner: ScriptRunner = connection
        assert runner.run_script("id -u; echo wrong >&2; exit 3", timeout=20, public=public) == ScriptResult(
            3, "0\n", "wrong\n"
        )
        assert runner.run_script("printf 'ä\\377'", timeout=20, public=public) == ScriptResult(0, "ä\ufffd", "")
        assert connection.is_alive()
    assert not connection.is_alive()


def test_one_connection_carries_many_scripts(own: Site) -> None:
    with own.connect() as connection:
        for number in range(20):
            assert connection.run_script(f"echo {number}", timeout=20).stdout == f"{number}\n"
    assert own.server.connections() == 1


@BOTH_WAYS
def test_a_script_is_run_as_root_in_a_plain_locale(site: Site, public: bool) -> None:
    with site.connect("admin") as connection:
        result = connection.run_script(
            'echo "$(id -un) $LC_ALL"; [ -t 0 ] || echo no terminal', timeout=20, public=public
        )
    assert result.stdout == "root C\nno terminal\n"


@BOTH_WAYS
def test_without_sudo_the_user_stays_who_they_are(site: Site, public: bool) -> None:
    with site.connect("stranger", sudo=False) as connection:
        assert connection.run_script("id -un", timeout=20, public=public).stdout == "stranger\n"


@BOTH_WAYS
@pytest.mark.parametrize("user", [f"sh-{Path(shell).name}" for shell in SHELLS])
def test_the_login_shell_does_not_matter(site: Site, user: str, public: bool) -> None:
    script = "x=\"a  b!\"\necho \"$x\" '$y!' `id -u` \\\\ '\\'; echo e >&2; exit 5"
    with site.connect(user) as connection:
        result = connection.run_script(script, timeout=20, public=public)
    assert result == ScriptResult(5, "a  b! $y! 0 \\ \\\n", "e\n")


def test_a_script_that_is_not_public_is_in_no_process_list(site: Site) -> None:
    look = "cat /proc/[0-9]*/cmdline | tr '\\0' '\\n'"
    for user in ("root", "admin"):
        with site.connect(user) as connection:
            seen = connection.run_script(f"{look} # a word of its own", timeout=20).stdout
        assert "/bin/sh\n-s\n" in seen
        assert "a word of its own" not in seen


@BOTH_WAYS
@pytest.mark.parametrize("user", ["noisy", "odd"])
def test_a_noisy_login_shell_is_not_heard(site: Site, user: str, public: bool) -> None:
    with site.connect(user) as connection:
        assert connection.run_script("echo out; echo err >&2", timeout=20, public=public) == ScriptResult(
            0, "out\n", "err\n"
        )


@pytest.mark.parametrize("user", ["root", "admin", "pty"])
def test_big_scripts_and_outputs_do_not_block_each_other(site: Site, user: str) -> None:
    filler = "".join(f"# {number:060}\n" for number in range(8000))
    noise = "yes 0123456789abcde | head -c 4000000\nyes ABCDEFGHIJKLMNO | head -c 4000000 >&2\n"
    script = f"{noise}{filler}{noise}{filler}echo end\n"
    assert len(script) > 1_000_000
    with site.connect(user) as connection:
        result = connection.run_script(script, timeout=60)
    assert (result.status, len(result.stdout), len(result.stderr)) == (0, 8_000_004, 8_000_000)
    assert result.stdout.endswith("end\n")


@BOTH_WAYS
def test_output_without_end_is_stopped(own: Site, public: bool) -> None:
    with own.connect() as connection:
        with pytest.raises(RemoteCommandError, match="printed more than 64 MiB"):
            connection.run_script("yes", timeout=60, public=public)
        assert connection.run_script("echo still here", timeout=20, public=public).stdout == "still here\n"


@BOTH_WAYS
@pytest.mark.parametrize(
    "script", ["sleep 60", "while :; do echo trickle; sleep 0.05; done", "while :; do echo e >&2; sleep 0.05; done"]
)
def test_the_time_is_limited_and_the_connection_survives(own: Site, script: str, public: bool) -> None:
    with own.connect() as connection:
        began = time.monotonic()
        with pytest.raises(RemoteTimeoutError, match=r"^127\.0\.0\.1: the command did not end within 0\.7 s$"):
            connection.run_script(script, timeout=0.7, public=public)
        assert 0.7 <= time.monotonic() - began < 30
        assert connection.run_script("echo on", timeout=20, public=public).stdout == "on\n"


@BOTH_WAYS
@pytest.mark.parametrize("user", ["root", "admin", "pty"])
def test_nothing_runs_on_after_the_time_is_over(site: Site, user: str, public: bool) -> None:
    # A number of its own, to be found among all processes.
    number = f"7{time.monotonic_ns() % 10**8}"
    script = f"trap '' HUP TERM INT PIPE; sleep {number} & sleep {number}; touch /root/never"
    with site.connect(user) as connection, pytest.raises(RemoteTimeoutError):
        connection.run_script(script, timeout=0.5, public=public)
    deadline = time.monotonic() + 20
    while sleepers(number) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert sleepers(number) == []
    assert not Path("/root/never").exists()


def sleepers(number: str) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_text()
            found += [command] if command == f"sleep\0{number}\0" else []
    return found


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
def test_a_senseless_timeout_is_refused(site: Site, timeout: float) -> None:
    with site.connect() as connection, pytest.raises(ValueError, match="timeout must be"):
        connection.run_script("true", timeout=timeout)


@BOTH_WAYS
def test_a_script_that_is_killed_has_not_succeeded(site: Site, public: bool) -> None:
    with site.connect() as connection, pytest.raises(RemoteCommandError, match="ended by a signal"):
        connection.run_script("echo out; kill -9 $$", timeout=20, public=public)


# Becoming root


@BOTH_WAYS
@pytest.mark.parametrize(
    ("user", "said"),
    [
        ("stranger", "sudo: a password is required"),
        ("careful", "sudo: a password is required"),
        ("other", "sudo: a password is required"),
        ("tty", "sudo: sorry, you must have a tty to run sudo"),
    ],
)
def test_sudo_that_refuses_is_named(site: Site, user: str, said: str, public: bool) -> None:
    with site.connect(user) as connection, pytest.raises(PrivilegeError) as caught:
        connection.run_script("touch /root/never", timeout=20, public=public)
    assert str(caught.value) == f"127.0.0.1: user {user} may not become root without a password: {said}"
    assert not Path("/root/never").exists()


@pytest.mark.parametrize("user", ["asked", "asked-pty", "admin"])
@pytest.mark.parametrize("source", ["sudo_password_file", "sudo_password_command"])
def test_sudo_gets_its_password(
    site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture, user: str, source: str
) -> None:
    caplog.set_level("DEBUG")
    (tmp_path / "password").write_text("hunter2\nwhatever\n")
    extras: dict[str, Any] = {source: f"{tmp_path}/password"}
    if source == "sudo_password_command":
        extras = {source: f"head -n 1 '{tmp_path}/password'"}
    script = "id -u; cat; tr '\\0' '\\n' </proc/$PPID/environ; echo wrong >&2; cat /proc/[0-9]*/cmdline >&2; exit 3"
    with site.connect(user, **extras) as connection:
        for public in (False, True):
            result = connection.run_script(script, timeout=20, public=public)
            assert (result.status, result.stdout.split("\n")[0]) == (3, "0")
            assert result.stderr.startswith("wrong\n")
            assert "hunter2" not in result.stdout + result.stderr
    assert "hunter2" not in caplog.text


def test_a_wrong_password_is_tried_once(site: Site, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("wrong-secret\n")
    with (
        site.connect("asked", sudo_password_file=f"{tmp_path}/password") as connection,
        pytest.raises(PrivilegeError) as caught,
    ):
        connection.run_script("touch /root/never", timeout=20)
    assert str(caught.value) == (
        "127.0.0.1: user asked may not become root with the password that was given: sudo: 1 incorrect password attempt"
    )
    assert not Path("/root/never").exists()


def test_a_password_that_is_no_ones_use_is_not_sent(site: Site, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hunter2\n")
    with (
        site.connect("stranger", sudo_password_file=f"{tmp_path}/password") as connection,
        pytest.raises(PrivilegeError, match="stranger may not become root with the password that was given"),
    ):
        connection.run_script("true", timeout=20)


@BOTH_WAYS
def test_a_host_without_sudo_is_named(own: Site, public: bool) -> None:
    programs = own.folder / "programs"
    programs.mkdir()
    (programs / "env").symlink_to("/usr/bin/env")
    own.server.stop()
    own.server.config = f"SetEnv PATH={programs}\n"
    own.server.start()
    with (
        own.connect("admin") as connection,
        pytest.raises(PrivilegeError, match="sudo is not installed, and user admin is not"),
    ):
        connection.run_script("true", timeout=20, public=public)


@BOTH_WAYS
def test_an_account_without_a_shell_is_not_sudos_fault(site: Site, public: bool) -> None:
    with (
        site.connect("nologin") as connection,
        pytest.raises(RemoteCommandError, match="login shell of user nologin") as caught,
    ):
        connection.run_script("true", timeout=20, public=public)
    assert "This account is currently not available" in str(caught.value)


@BOTH_WAYS
def test_a_host_that_lets_no_command_run_is_named(own: Site, public: bool) -> None:
    own.server.stop()
    own.server.config = "MaxSessions 0\n"
    own.server.start()
    with (
        own.connect() as connection,
        pytest.raises(RemoteCommandError, match="user root is not allowed to run commands"),
    ):
        connection.run_script("true", timeout=20, public=public)


# The host's key


def test_an_unknown_host_is_refused(site: Site, tmp_path: Path) -> None:
    config = site.config(f"UserKnownHostsFile {tmp_path}/none\n")
    said = site.fail(HostKeyError, config=config)
    assert f"host key of [127.0.0.1]:{site.server.port} is not known (ssh-ed25519 SHA256:" in said
    assert said.endswith("connect once with ssh, or add it to known_hosts with ssh-keyscan after checking it")


def test_a_changed_key_is_refused(site: Site, tmp_path: Path) -> None:
    other = ssh_keygen(tmp_path / "other")
    (tmp_path / "known").write_text(f"[127.0.0.1]:{site.server.port} {public_key(other)}\n")
    said = site.fail(HostKeyError, config=site.config(f"UserKnownHostsFile {tmp_path}/known\n"))
    assert f"host key of [127.0.0.1]:{site.server.port} has changed" in said
    assert f"{tmp_path}/known line 1" in said


@pytest.mark.parametrize("index", [0, 1, 2], ids=["ed25519", "ecdsa", "rsa"])
@pytest.mark.parametrize("hashed", [False, True], ids=["plain", "hashed"])
def test_one_known_key_of_any_type_is_enough(site: Site, tmp_path: Path, index: int, hashed: bool) -> None:
    known = tmp_path / "known"
    known.write_text(site.server.known_hosts_line(index=index))
    if hashed:
        subprocess.run(["ssh-keygen", "-q", "-H", "-f", known], check=True, capture_output=True)
        assert "127.0.0.1" not in known.read_text()
    with site.connect(config=site.config(f"UserKnownHostsFile {known}\n")) as connection:
        assert connection.run_script("echo in", timeout=20).stdout == "in\n"


def test_known_hosts_of_the_inventory_and_no_check_on_demand(site: Site, tmp_path: Path) -> None:
    nothing = site.config(f"UserKnownHostsFile {tmp_path}/none\n")
    with site.connect(config=nothing, alt_host_keys=True, alt_key_file=str(site.folder / "known_hosts")):
        pass
    with site.connect(config=nothing, ssh_strict=False):
        pass


# Who we are


def test_a_key_that_is_not_authorised_is_refused(site: Site, tmp_path: Path) -> None:
    wrong = ssh_keygen(tmp_path / "wrong")
    said = site.fail(AuthenticationError, "admin", key_file=str(wrong))
    assert said == f"127.0.0.1: the host refused user admin; tried: {wrong}"


def test_a_user_that_is_not_there_is_refused(site: Site) -> None:
    assert "refused user nobody-here" in site.fail(AuthenticationError, "nobody-here")


def test_without_anything_to_offer_that_is_said(site: Site) -> None:
    said = site.fail(AuthenticationError, use_keys=False)
    assert said == (
        "127.0.0.1: the host has nothing to let user root in with; "
        "no key in the agent, in ssh_config or in ~/.ssh could be offered"
    )


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: ssh_keygen(path, passphrase="secret"), "needs a passphrase: load it into the agent with ssh-add"),
    ],
)
def test_a_key_file_that_cannot_be_used_is_named(
    site: Site, tmp_path: Path, make: Callable[[Path], object], said: str
) -> None:
    make(tmp_path / "key")
    config = site.config(f"IdentityFile {tmp_path}/key\nIdentitiesOnly yes\n")
    config_file = Path(config.ssh.config_file)
    config_file.write_text(config_file.read_text().replace(f" IdentityFile {site.key}\n", ""))
    assert said in site.fail(AuthenticationError, config=config)
    if (tmp_path / "key").exists():
        assert said in site.fail(AuthenticationError, config=config, key_file=str(tmp_path / "key"))


def test_a_key_with_its_passphrase(site: Site, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    shutil.copy(site.key, locked)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", locked], check=True, capture_output=True)
    with site.connect(key_file=str(locked), passphrase="secret"):
        pass


def test_too_many_keys_end_it(site: Site, tmp_path: Path) -> None:
    wrong = [ssh_keygen(tmp_path / f"wrong-{number}") for number in range(5)]
    with ssh_agent(*wrong) as path, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSH_AUTH_SOCK", path)
        said = site.fail(AuthenticationError, "admin", use_keys=False)
    assert "Too many authentication failures" in said
    assert "agent key wrong-3" in said
    assert "agent key wrong-4" not in said


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_the_agents_key_is_enough(own: Site, tmp_path: Path, kind: str) -> None:
    held = ssh_keygen(tmp_path / "held", kind)
    own.server.authorize(held)
    with ssh_agent(held) as path, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSH_AUTH_SOCK", path)
        held.unlink()
        with own.connect(use_keys=False) as connection:
            assert connection.run_script('echo "${SSH_AUTH_SOCK-none}"', timeout=20).stdout == "none\n", "no forwarding"
        assert "127.0.0.1: the host has nothing" in own.fail(AuthenticationError, use_keys=False, allow_agent=False)


def test_an_agent_that_is_stuck_is_not_waited_for_long(site: Site) -> None:
    with ssh_agent(site.key) as path, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSH_AUTH_SOCK", path)
        pid = subprocess.run(["ss", "-xlpH", "src", path], capture_output=True, text=True, check=True).stdout.split(
            "pid="
        )[1]
        os.kill(int(pid.split(",")[0]), signal.SIGSTOP)
        try:
            with site.connect(auth_timeout=0.5):
                pass
        finally:
            os.kill(int(pid.split(",")[0]), signal.SIGCONT)


def test_a_password_comes_after_the_keys(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with site.connect("secret", password="hunter2", use_keys=False) as connection:
        assert connection.run_script("echo in", timeout=20).stdout == "in\n"
    said = site.fail(AuthenticationError, "secret", password="wrong-secret", use_keys=False)
    assert said == "127.0.0.1: the host refused user secret; tried: password"
    assert "hunter2" not in caplog.text
    assert "wrong-secret" not in caplog.text


# ssh_config


def test_ssh_config_gives_what_the_inventory_leaves_open(site: Site) -> None:
    text = f"Host alias\n HostName 127.0.0.1\n Port {site.server.port}\n User admin\n"
    with site.connect(None, host="alias", port=None, config=site.config(text), sudo=False) as connection:
        assert connection.run_script("id -un", timeout=20).stdout == "admin\n"
    with site.connect("root", host="alias", port=None, config=site.config(text)) as connection:
        assert connection.run_script("id -un", timeout=20).stdout == "root\n"


def jump_config(site: Site, bastions: list[Site]) -> str:
    """An ssh_config that reaches `inner` through each bastion in turn."""
    jumps = ",".join(f"b{number}" for number in range(len(bastions)))
    blocks = [f"Host inner\n HostName 127.0.0.1\n Port {site.server.port}\n ProxyJump {jumps}\n"]
    for number, bastion in enumerate(bastions):
        blocks.append(
            f"Host b{number}\n HostName 127.0.0.1\n Port {bastion.server.port}\n User admin\n"
            f" IdentityFile {bastion.key}\n UserKnownHostsFile {bastion.folder}/known_hosts\n"
        )
    return "".join(blocks)


@pytest.mark.parametrize("hops", [1, 2, 3])
def test_jump_hosts_are_gone_through(site: Site, folder: Path, key: Path, hops: int) -> None:
    bastions = []
    with contextlib.ExitStack() as stack:
        for number in range(hops):
            server = Sshd(folder / f"bastion-{hops}-{number}", [User("admin")])
            server.authorize(key)
            (server.folder / "known_hosts").write_text(server.known_hosts_line())
            bastions.append(Site(server.folder, stack.enter_context(server), key))
        config = site.config(jump_config(site, bastions))
        with site.connect(host="inner", port=None, config=config) as connection:
            assert connection.run_script("echo through", timeout=20).stdout == "through\n"
            assert own_children() == []
        assert [bastion.server.connections() for bastion in bastions] == [1] * hops


def test_many_hosts_behind_one_bastion_are_not_turned_away(own: Site, folder: Path, key: Path) -> None:
    # As sshd has it by default, but that chance has no part in it; and one session is all that anybody has.
    server = Sshd(folder / "strict-bastion", [User("admin")], config="MaxStartups 10:100:10\nMaxSessions 1\n")
    server.authorize(key)
    (server.folder / "known_hosts").write_text(server.known_hosts_line())
    count = 30
    with server, ThreadPoolExecutor(count) as pool, contextlib.ExitStack() as stack:
        # It is far away, so that logging in takes a while.
        road = SlowRoad(server.port, 0.04)
        stack.callback(road.close)
        text = jump_config(own, [Site(server.folder, server, key)])
        config = own.config(text.replace(f"Port {server.port}", f"Port {road.port}"))
        known = server.folder / "known_hosts"
        known.write_text(known.read_text().replace(str(server.port), str(road.port)))
        together = threading.Barrier(count)

        def connect(number: int) -> str:
            together.wait(20)
            connection = stack.enter_context(own.connect(host="inner", port=None, config=config, connect_attempts=1))
            return connection.run_script(f"echo {number}", timeout=60).stdout

        assert list(pool.map(connect, range(count))) == [f"{number}\n" for number in range(count)]
        assert server.connections() == 1


def own_children() -> list[str]:
    found = []
    for task in Path("/proc/self/task").iterdir():
        found += (task / "children").read_text().split()
    return [pid for pid in found if Path(f"/proc/{pid}/cmdline").read_text().startswith("ssh\0")]


def test_a_proxy_command_is_gone_through(site: Site, own: Site) -> None:
    text = jump_config(site, [own]).replace(
        " ProxyJump b0\n", f" ProxyCommand ssh -F {site.folder}/inner_config b0 -W %h:%p\n"
    )
    (site.folder / "inner_config").write_text(jump_config(site, [own]))
    with site.connect(host="inner", port=None, config=site.config(text)) as connection:
        assert connection.run_script("echo through", timeout=20).stdout == "through\n"
    assert own.server.connections() == 1


def test_what_a_proxy_command_says_besides_is_not_taken_for_the_hosts_words(site: Site) -> None:
    relay = site.folder / "relay"
    relay.write_text(
        "#!/bin/bash\necho 'Authorised use only' >&2\n(sleep 0.3; echo later >&2) &\n"
        'exec 3<>"/dev/tcp/127.0.0.1/$1"\ncat <&3 &\ncat >&3\n'
    )
    relay.chmod(0o755)
    text = f"Host inner\n ProxyCommand {relay} {site.server.port}\n HostKeyAlias known\n"
    known = site.folder / "known_as_alias"
    known.write_text(f"known {public_key(site.server.host_keys[0])}\n")
    config = site.config(f"{text} UserKnownHostsFile {known}\n")
    with site.connect(host="inner", port=None, config=config) as connection:
        assert connection.run_script("sleep 0.5; echo through", timeout=20).stdout == "through\n"


def test_a_proxy_command_that_fails_is_quoted(site: Site) -> None:
    text = "Host inner\n ProxyCommand sh -c 'echo no such way >&2; exit 3'\n"
    said = site.fail(UnreachableError, host="inner", port=22, config=site.config(text))
    assert said == "inner:22: the ProxyCommand failed: no such way"


def test_a_jump_host_with_an_unknown_key_is_refused_and_nothing_is_asked(site: Site, own: Site) -> None:
    (own.folder / "known_hosts").write_text("")
    said = site.fail(HostKeyError, host="inner", port=None, config=site.config(jump_config(site, [own])))
    assert said.startswith(
        f"inner (127.0.0.1:{site.server.port}): the jump host failed: b0: "
        f"host key of [127.0.0.1]:{own.server.port} is not known (ssh-ed25519 SHA256:"
    )


def test_a_jump_host_that_refuses_us_is_named_and_not_tried_again(site: Site, own: Site) -> None:
    own.server.authorize()
    said = site.fail(AuthenticationError, host="inner", port=None, config=site.config(jump_config(site, [own])))
    assert said.endswith(f"the jump host failed: b0: the host refused user admin; tried: {own.key}")
    assert own.server.connections() == 1


def test_a_jump_host_that_is_down_is_named(site: Site, own: Site) -> None:
    own.server.stop()
    said = site.fail(UnreachableError, host="inner", port=None, config=site.config(jump_config(site, [own])))
    assert said == (
        f"inner (127.0.0.1:{site.server.port}): the jump host failed: "
        f"b0 (127.0.0.1:{own.server.port}): connection refused; nothing listens on this port (2 attempts)"
    )


def test_a_host_that_is_down_behind_a_jump_host_is_named(site: Site, own: Site) -> None:
    config = site.config(jump_config(site, [own]).replace(f"Port {site.server.port}", "Port 1"))
    said = site.fail(UnreachableError, host="inner", port=None, config=config)
    assert said == "inner (127.0.0.1:1): the jump host b0 cannot reach it: Connection refused (2 attempts)"


def test_a_jump_host_is_left_when_the_last_host_behind_it_is_closed(site: Site, own: Site) -> None:
    config = site.config(jump_config(site, [own]))
    with site.connect(host="inner", port=None, config=config) as last:
        with site.connect(host="inner", port=None, config=config):
            assert own.server.connections() == 1
        assert last.run_script("echo on", timeout=20).stdout == "on\n"
    with site.connect(host="inner", port=None, config=config):
        assert own.server.connections() == 2


def test_a_jump_host_that_goes_away_is_connected_to_again(site: Site, own: Site) -> None:
    config = site.config(jump_config(site, [own]))
    with site.connect(host="inner", port=None, config=config) as first:
        own.server.stop()
        with pytest.raises(UnreachableError):
            first.run_script("true", timeout=20)
        own.server.start()
        with site.connect(host="inner", port=None, config=config) as second:
            assert second.run_script("echo back", timeout=20).stdout == "back\n"


def test_one_session_a_connection_is_enough(own: Site) -> None:
    own.server.stop()
    own.server.config = "MaxSessions 1\n"
    own.server.start()
    with own.connect() as connection:
        # Often enough to come before the server has counted down the one before.
        for number in range(40):
            assert connection.run_script(f"echo {number}", timeout=20, public=number % 2 == 0).stdout == f"{number}\n"


# What goes wrong on the way


def test_a_frozen_server_is_given_up_in_time(own: Site) -> None:
    own.server.freeze()
    began = time.monotonic()
    said = own.fail(UnreachableError, banner_timeout=0.5, connect_attempts=1)
    took = time.monotonic() - began
    own.server.thaw()
    assert said == f"127.0.0.1:{own.server.port}: the connection is open, but no SSH server answered within 0.5 s"
    assert 0.5 <= took < 30


@pytest.mark.parametrize("size", [10, 3_000_000], ids=["small", "more than fits into buffers"])
def test_a_server_that_freezes_later_does_not_hold_us(own: Site, size: int) -> None:
    with own.connect() as connection:
        own.server.freeze()
        began = time.monotonic()
        with pytest.raises(RemoteTimeoutError):
            connection.run_script("#" * size, timeout=0.5)
        assert not connection.is_alive(), "a channel that nobody answered for cannot be trusted later"
        connection.close()
        took = time.monotonic() - began
        own.server.thaw()
    assert 0.5 <= took < 30


def test_a_server_that_freezes_in_mid_script_does_not_hold_us(own: Site) -> None:
    with own.connect() as connection:
        freezer = threading.Timer(0.4, own.server.freeze)
        freezer.start()
        began = time.monotonic()
        with pytest.raises(RemoteTimeoutError):
            connection.run_script("cat /dev/zero | head -c 50000000; " + "#" * 3_000_000 + "\nsleep 60", timeout=1.5)
        connection.close()
        took = time.monotonic() - began
        freezer.join()
        own.server.thaw()
    assert took < 30


def test_a_connection_that_breaks_in_mid_script_is_no_success(own: Site) -> None:
    with own.connect() as connection:
        killer = threading.Timer(0.5, own.server.stop)
        killer.start()
        with pytest.raises(UnreachableError, match=r"^127\.0\.0\.1: the connection broke while a command ran"):
            connection.run_script("echo started; sleep 30; echo done", timeout=20)
        killer.join()
        assert not connection.is_alive()
        with pytest.raises(UnreachableError, match="the connection is closed"):
            connection.run_script("true", timeout=20)


def test_closing_is_quick_and_may_be_repeated(own: Site) -> None:
    took = []
    for _ in range(4):
        with own.connect() as connection:
            own.server.freeze()
            began = time.monotonic()
            connection.close()
            connection.close()
            took.append(time.monotonic() - began)
            own.server.thaw()
    assert max(took) < 10


def test_a_closed_connection_takes_no_memory(own: Site) -> None:
    with own.connect() as connection:
        connection.run_script("true", timeout=20)
        opened = connection._connection
        assert opened is not None
        ssh = weakref.ref(opened.ssh)
        del opened
        assert ssh() is not None
    gc.collect()
    assert ssh() is None


def test_nothing_is_printed_or_logged_where_a_connection_fails(
    own: Site, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with own.connect() as connection:
        own.server.stop()
        with pytest.raises(UnreachableError):
            connection.run_script("true", timeout=20)
    own.fail(UnreachableError, connect_attempts=1)
    own.server.start()
    own.server.freeze()
    own.fail(UnreachableError, connect_attempts=1, banner_timeout=0.3)
    own.server.thaw()
    output = capfd.readouterr()
    assert (output.out, output.err, caplog.text) == ("", "", "")


# Speed


@pytest.mark.parametrize(
    ("scripts", "fewest"),
    [([False], 10), ([True], 9), ([True, True, True], 13)],
    ids=["a secret", "a drift check", "a first provisioning"],
)
def test_round_trips(own: Site, scripts: list[bool], fewest: int) -> None:
    """Names, keys, login; for each script channel and command, and itself where that is apart."""
    turns: list[int] = []
    # A busy computer may tear apart what was sent together: what counts is that it can be done in so few.
    while len(turns) < 40 and min(turns, default=fewest + 1) > fewest:
        road = SlowRoad(own.server.port, delay=0.05)
        try:
            with (own.folder / "known_hosts").open("a") as known:
                known.write(f"[127.0.0.1]:{road.port} {public_key(own.server.host_keys[0])}\n")
            with own.connect("admin", port=road.port) as connection:
                for public in scripts:
                    assert connection.run_script("id -u", timeout=20, public=public).stdout == "0\n"
                turns.append(road.turns())
        finally:
            road.close()
    assert min(turns) <= fewest


# Many hosts


@pytest.mark.parametrize("user", ["root", "admin"])
def test_fifty_hosts_at_once(own: Site, user: str) -> None:
    ConnectionPluginRegister.deregister_all()  # another test's
    ConnectionPluginRegister.auto_register()
    options = {
        "linux_exec": ConnectionOptions(extras={"conn_timeout": 60.0, "banner_timeout": 60.0, "auth_timeout": 60.0})
    }
    hosts = Hosts(
        {
            f"h{number}": Host(
                f"h{number}", hostname="127.0.0.1", port=own.server.port, username=user, connection_options=options
            )
            for number in range(50)
        }
    )
    nornir = Nornir(Inventory(hosts, Groups(), Defaults()), config=own.config(), runner=InterruptibleThreads(50))
    together = threading.Barrier(50)

    def task(task: Task) -> str:
        connection: ScriptRunner = task.host.get_connection("linux_exec", task.nornir.config)
        together.wait(90)
        out = connection.run_script(f"echo {task.host.name}", timeout=90).stdout
        assert task.host.get_connection("linux_exec", task.nornir.config) is connection
        again = connection.run_script("id -u", timeout=90).stdout
        return f"{out}{again}"

    before = open_files()
    result = nornir.run(task)

    assert {name: answer[0].result for name, answer in result.items()} == {name: f"{name}\n0\n" for name in hosts}
    assert own.server.connections() == 50
    assert open_files() == before
    assert not any(host.connections for host in hosts.values())
