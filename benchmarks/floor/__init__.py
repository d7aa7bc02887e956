"""The floor: what one connection and one command a host cost with asyncssh, and nothing else."""
