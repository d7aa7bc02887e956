"""SSH without a terminal: who to reach and how, the connection, and one script over it.

Reads the user's own `ssh_config`, `known_hosts`, keys and agent, as `ssh` does.
"""

from podroutes.plugins.connections.ssh.match_exec import import_paramiko

# Before any module of this package, or Netmiko, imports it.
import_paramiko()
