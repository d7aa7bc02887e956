"""The texts of the services' settings and of the operator's `clouds.yaml`."""

from pathlib import Path

from lab.cloud.paths import CLOUD, IDENTITY_PORT, url

REGION = "RegionOne"
ADMIN_CLOUD = "admin"
PROJECT = "kubernetes-the-hard-way"
USER = "kubernetes"


def keystone_conf(folder: Path) -> str:
    """The text of `keystone.conf`.

    Args:
        folder: That of its database and keys.
    """
    return f"""[DEFAULT]
transport_url = fake:///

[database]
connection = sqlite:///{folder}/keystone.db

[token]
provider = fernet

[fernet_tokens]
key_repository = {folder}/fernet-keys

[fernet_receipts]
key_repository = {folder}/fernet-keys

[credential]
key_repository = {folder}/credential-keys

[identity]
# The minimum: these passwords are random already.
password_hash_rounds = 4

[cache]
# Without it each check of a token takes half a second.
enabled = true
backend = oslo_cache.dict

[oslo_messaging_notifications]
driver = noop
"""


def neutron_conf(folder: Path, environment: Path, password: str, connection: str) -> str:
    """The text of `neutron.conf`.

    Args:
        folder: That of its files.
        environment: The cloud's own Python environment.
        password: Of its user.
        connection: SQLAlchemy's URL of its database.
    """
    return f"""[DEFAULT]
core_plugin = ml2
service_plugins = router
transport_url = fake:///
api_paste_config = {environment}/etc/neutron/api-paste.ini
state_path = {folder}
notify_nova_on_port_status_changes = false
notify_nova_on_port_data_changes = false
dhcp_agent_notification = false

[database]
connection = {connection}

[ml2]
type_drivers = local,flat,vxlan
project_network_types = local
mechanism_drivers =
extension_drivers = port_security

[keystone_authtoken]
www_authenticate_uri = {url(IDENTITY_PORT)}
auth_type = password
auth_url = {url(IDENTITY_PORT, direct=True, path="/v3")}
interface = internal
region_name = {REGION}
username = neutron
password = {password}
project_name = service
user_domain_id = default
project_domain_id = default
# The next request must see that a role or token was revoked.
token_cache_time = -1

[oslo_concurrency]
lock_path = {folder}/locks

[oslo_messaging_notifications]
driver = noop
"""


def sqlite(folder: Path) -> str:
    """SQLAlchemy's URL of Neutron's database in SQLite.

    Args:
        folder: That of the database.
    """
    return f"sqlite:///{folder}/neutron.db"


def clouds_yaml(user_password: str, admin_password: str) -> str:
    """The text of `clouds.yaml`.

    Args:
        user_password: Of the project's user.
        admin_password: Of the cloud's administrator.
    """
    lines = ["---", "clouds:"]
    for cloud in (CLOUD, ADMIN_CLOUD):
        lines += [f"  {cloud}:", "    auth:"]
        lines += [f"      {key}: {value}" for key, value in auth(cloud, user_password, admin_password).items()]
        lines += [f"    region_name: {REGION}", "    interface: public", "    identity_api_version: 3"]
    return "\n".join(lines) + "\n"


def auth(cloud: str, user_password: str, admin_password: str) -> dict[str, str]:
    """Credentials.

    Args:
        cloud: `kubernetes` or `admin`.
        user_password: Of the project's user.
        admin_password: Of the cloud's administrator.

    Returns:
        The values below `auth` in `clouds.yaml`.
    """
    admin = cloud == ADMIN_CLOUD
    return {
        "auth_url": url(IDENTITY_PORT, path="/v3"),
        "username": "admin" if admin else USER,
        "password": admin_password if admin else user_password,
        "project_name": "admin" if admin else PROJECT,
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
