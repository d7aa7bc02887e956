"""Files that those who bring their own unit and script install: the same for all of them."""

SCRIPT_PATH = "/usr/local/sbin/basic-kubernetes-routes.sh"
UNIT_PATH = "/etc/systemd/system/routes.service"
SYSCTL_PATH = "/etc/sysctl.d/90-kubernetes-pod-routes.conf"

UNIT = f"""\
[Unit]
Description=Pod network routes
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={SCRIPT_PATH}

[Install]
WantedBy=multi-user.target
"""
