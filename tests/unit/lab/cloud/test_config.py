import configparser
from pathlib import Path

from ruamel.yaml import YAML

from lab.cloud import config


def _parsed(text: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    return parser


def test_keystone_keeps_all_in_its_folder() -> None:
    conf = _parsed(config.keystone_conf(Path("/x")))
    assert conf["database"]["connection"] == "sqlite:////x/keystone.db"
    repositories = [conf[section]["key_repository"] for section in ("fernet_tokens", "fernet_receipts", "credential")]
    assert all(repository.startswith("/x/") for repository in repositories)


def test_neutron_asks_keystone_past_the_edge_and_about_every_token() -> None:
    conf = _parsed(config.neutron_conf(Path("/x"), Path("/env"), "secret", config.sqlite(Path("/x"))))
    assert conf["database"]["connection"] == "sqlite:////x/neutron.db"
    assert conf["DEFAULT"]["api_paste_config"] == "/env/etc/neutron/api-paste.ini"
    auth = conf["keystone_authtoken"]
    assert (auth["auth_url"], auth["password"]) == ("http://127.0.0.1:5001/v3", "secret")
    assert auth["token_cache_time"] == "-1"


def test_clouds_yaml_holds_both_users() -> None:
    clouds = YAML(typ="safe").load(config.clouds_yaml("user's", "admin's"))["clouds"]
    assert {name: cloud["auth"] for name, cloud in clouds.items()} == {
        "kubernetes": config.auth("kubernetes", "user's", "admin's"),
        "admin": config.auth("admin", "user's", "admin's"),
    }
    assert clouds["kubernetes"]["auth"]["username"] == "kubernetes"
    assert clouds["kubernetes"]["auth"]["password"] == "user's"
    assert clouds["admin"]["auth"]["password"] == "admin's"
    assert {cloud["auth"]["auth_url"] for cloud in clouds.values()} == {"http://127.0.0.1:5000/v3"}
