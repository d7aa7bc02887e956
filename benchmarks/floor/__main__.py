"""Runs each host's own script over SSH, as root, fifty hosts at once: `python -m benchmarks.floor WORK.json`.

No planning, no checking, no reports. The host's key is verified and the operator's key is loaded once.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import asyncssh

_AT_ONCE = 50


async def run(host: dict[str, str], user: str, key: asyncssh.SSHKey, limit: asyncio.Semaphore) -> str:
    """Run the host's script.

    Args:
        host: `address`, `key_type`, `key` in base64, `script`.
        user: Who to log in as.
        key: To log in with.
        limit: How many at once.

    Returns:
        Its standard output.

    Raises:
        RuntimeError: It failed.
    """
    trusted = asyncssh.import_public_key(f"{host['key_type']} {host['key']}")
    async with (
        limit,
        asyncssh.connect(
            host["address"],
            username=user,
            client_keys=[key],
            agent_path=None,
            known_hosts=([trusted], [], []),
            config=None,
        ) as connection,
    ):
        done = await connection.run("sudo -n sh -s", input=host["script"])
        if done.exit_status != 0:
            raise RuntimeError(f"{host['address']}: exit status {done.exit_status}: {done.stderr!r}")
        return str(done.stdout)


async def run_all(work: dict[str, Any]) -> list[str]:
    """Run all hosts' scripts.

    Args:
        work: What the file says.
    """
    key = asyncssh.read_private_key(work["key_file"])
    limit = asyncio.Semaphore(_AT_ONCE)
    return await asyncio.gather(*(run(host, work["user"], key, limit) for host in work["hosts"]))


def main(arguments: list[str]) -> int:
    """Run all.

    Args:
        arguments: The file that says what to do.

    Returns:
        The exit status.
    """
    return 0 if all(asyncio.run(run_all(json.loads(Path(arguments[0]).read_text())))) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
