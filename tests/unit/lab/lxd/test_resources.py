from io import IOBase
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from lab.errors import LabError
from lab.lxd.api import Api
from lab.lxd.nodes import node
from lab.lxd.resources import IMAGE, body, ensure_image

NETWORK = IPv4Network("10.0.2.0/24")


def test_a_nodes_address_is_written_into_its_devices() -> None:
    made = body(node("worker-1", NETWORK))
    assert made["name"] == "worker-1"
    assert made["devices"] == {"eth1": {"type": "nic", "network": "lab0", "name": "eth1", "ipv4.address": "10.0.2.21"}}


def test_the_load_balancer_is_not_on_the_node_network() -> None:
    assert body(node("haproxy", NETWORK))["devices"] == {}


class FakeApi(Api):
    """A daemon that knows images.

    Args:
        names: Of the images that have one, by fingerprint; empty for an image without.
        room: Whether another image can be imported.
    """

    def __init__(self, names: dict[str, str], *, room: bool = True) -> None:
        self.names = names
        self.room = room

    def call(self, method: str, path: str, body: object = None, *, seconds: float = 0) -> Any:  # noqa: ANN401
        match method, path.partition("?")[0]:
            case "GET", "/1.0/images/aliases":
                return [{"name": name} for name in self.names.values() if name]
            case "GET", "/1.0/images":
                return [{"fingerprint": fingerprint} for fingerprint in self.names]
            case "POST", "/1.0/images":
                assert isinstance(body, IOBase)
                fingerprint = body.read().decode()
                if fingerprint in self.names:
                    raise LabError("Image with same fingerprint already exists")
                if not self.room:
                    raise LabError("no space left on device")
                self.names[fingerprint] = ""
                return {"metadata": {"fingerprint": fingerprint}}
            case "POST", "/1.0/images/aliases":
                assert isinstance(body, dict)
                self.names[body["target"]] = body["name"]
                return None
            case other:
                raise AssertionError(other)


@pytest.fixture
def tarball(tmp_path: Path) -> Path:
    path = tmp_path / "image.tar"
    path.write_text("abc")
    return path


@pytest.mark.parametrize("there", [{}, {"abc": ""}, {"abc": IMAGE}], ids=["new", "interrupted", "there"])
def test_the_image_gets_its_name_also_where_an_up_was_interrupted(there: dict[str, str], tarball: Path) -> None:
    api = FakeApi(there)
    ensure_image(api, tarball)
    assert api.names == {"abc": IMAGE}


def test_an_image_that_can_not_be_imported_is_an_error(tarball: Path) -> None:
    with pytest.raises(LabError, match="no space left"):
        ensure_image(FakeApi({}, room=False), tarball)
