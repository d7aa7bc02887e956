from pathlib import Path

from lab.files import write_file
from lab.template import system_accounts, units_to_mask, user_files

_PASSWD = """root:x:0:0:root:/root:/bin/bash
sshd:x:101:65534::/run/sshd:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
alice:x:1000:1000:Alice:/home/alice:/bin/bash
ubuntu:x:999:999::/home/ubuntu:/bin/bash
+::::::
broken line
"""


def test_people_are_left_out_and_services_kept() -> None:
    assert [fields[0] for fields in system_accounts(_PASSWD)] == ["root", "sshd", "nobody"]


def _base(folder: Path) -> Path:
    """Of a root file system, what the layer above it depends on."""
    wants = folder / "usr/lib/systemd/system/sysinit.target.wants"
    wants.mkdir(parents=True)
    for unit in ("new-in-this-release.service", "systemd-sysctl.service"):
        (wants / unit).touch()
    (folder / "lib").symlink_to("usr/lib")
    write_file(folder / "etc/passwd", "root:x:0:0:root:/root:/bin/bash\n_bus:x:997:997::/:/usr/sbin/nologin\n", 0o644)
    write_file(folder / "etc/group", "root:x:0:\nadm:x:4:somebody\n_bus:x:997:\npeople:x:1000:\n", 0o644)
    return folder


def test_accounts_are_those_of_the_root_below(tmp_path: Path) -> None:
    files = user_files(_base(tmp_path))
    assert [line.split(":")[0] for line in files["etc/passwd"].splitlines()] == ["root", "_bus", "ubuntu"]
    assert [line.split(":")[0] for line in files["etc/shadow"].splitlines()] == ["root", "_bus", "ubuntu"]
    assert files["etc/group"] == "root:x:0:\nadm:x:4:ubuntu\n_bus:x:997:\nubuntu:x:1000:\n"


def test_units_of_the_root_below_are_masked_but_for_those_that_hosts_need(tmp_path: Path) -> None:
    masked = units_to_mask(_base(tmp_path))
    assert "new-in-this-release.service" in masked
    assert "systemd-logind.service" in masked
    assert "systemd-sysctl.service" not in masked
