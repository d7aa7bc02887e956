import os
import subprocess
import sys

from lab.proc import children, has_files, send_signal, start_time


def test_a_process_is_told_from_a_zombie_and_from_none() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert process.pid in children(os.getpid())
        assert start_time(process.pid) is not None
        assert start_time(process.pid) == start_time(process.pid)
        assert has_files(process.pid)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert start_time(process.pid) is None
        assert not has_files(process.pid)
    assert start_time(process.pid) is None
    assert not has_files(process.pid)
    assert children(process.pid) == []
    send_signal(process.pid, 0)
