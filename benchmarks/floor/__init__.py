"""The floor: what one connection and one command a host cost with paramiko, and nothing else."""
