from lab.template import system_accounts

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
