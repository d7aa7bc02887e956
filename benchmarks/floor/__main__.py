"""Runs each host's own script over SSH, as root, fifty hosts at once: `python -m benchmarks.floor WORK.json`.

No planning, no checking, no reports. The host's key is verified and the operator's key is loaded once.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import paramiko

_THREADS = 50


def run(host: dict[str, str], user: str, key: paramiko.PKey) -> str:
    """Run the host's script.

    Args:
        host: `address`, `key_type`, `key` in base64, `script`.
        user: Who to log in as.
        key: To log in with.

    Returns:
        Its standard output.

    Raises:
        RuntimeError: It failed.
    """
    with paramiko.SSHClient() as client:
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        known = paramiko.hostkeys.HostKeyEntry.from_line(f"{host['address']} {host['key_type']} {host['key']}")
        assert known is not None
        assert known.key is not None
        client.get_host_keys().add(host["address"], host["key_type"], known.key)
        client.connect(host["address"], username=user, pkey=key, allow_agent=False, look_for_keys=False)
        stdin, stdout, stderr = client.exec_command("sudo -n sh -s")
        stdin.write(host["script"])
        stdin.channel.shutdown_write()
        output = stdout.read().decode()
        status = stdout.channel.recv_exit_status()
        if status != 0:
            raise RuntimeError(f"{host['address']}: exit status {status}: {stderr.read().decode()}")
        return output


def main(arguments: list[str]) -> int:
    """Run all.

    Args:
        arguments: The file that says what to do.

    Returns:
        The exit status.
    """
    work: dict[str, Any] = json.loads(Path(arguments[0]).read_text())
    key = paramiko.Ed25519Key.from_private_key_file(work["key_file"])
    with ThreadPoolExecutor(_THREADS) as pool:
        outputs = list(pool.map(lambda host: run(host, work["user"], key), work["hosts"]))
    return 0 if all(outputs) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
