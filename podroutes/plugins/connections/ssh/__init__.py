"""SSH to Linux hosts by asyncssh, without a terminal. See `docs/decisions/0018-asyncssh.md`.

`parameters` → `target` (what ssh_config says) → `connect` (`known_hosts`, `identities`, `jump`, `proxy`) → `host`.
"""
