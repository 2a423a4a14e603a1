"""No process is left, however pytest ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from test_soft_ioc import is_alive, wait_until

HANGING = """
    import os, time, pytest
    from pathlib import Path

    @pytest.mark.parametrize("number", range(2))
    @pytest.mark.epics_records('record(ai, "t:x") {}')
    def test_hangs(softioc, softioc_factory, number):
        pids = [os.getpid(), softioc.pid, softioc_factory(pvs=1).pid, *tools()]
        Path(f"pids-{number}").write_text(" ".join(map(str, pids)))
        Path(f"ready-{number}").touch()
        time.sleep(600)

    @pytest.mark.epics_fresh_process
    @pytest.mark.epics_records('record(ai, "t:x") {}')
    def test_hangs_in_a_process_of_its_own(softioc):
        Path("pids-2").write_text(f"{os.getpid()} {softioc.pid}")
        Path("ready-2").touch()
        time.sleep(600)

    def tools():
        children = Path(f"/proc/self/task/{os.getpid()}/children")
        return children.read_text().split()
"""


@pytest.fixture
def hanging(pytester):
    """pytest with three workers, each in a test that hangs."""
    pytester.makepyfile(HANGING)
    pytester.makeini("[pytest]\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-n", "3"],
        cwd=pytester.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        # A background job of a shell ignores Ctrl-C, and what it starts inherits that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    ready = [pytester.path / f"ready-{number}" for number in range(3)]
    wait_until(lambda: all(one.exists() for one in ready), "all tests run", 60)
    yield process, pytester.path
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def pids_in(folder):
    texts = [(folder / f"pids-{number}").read_text() for number in range(3)]
    pids = [int(pid) for text in texts for pid in text.split()]
    assert len(pids) >= 8 and all(is_alive(pid) for pid in pids)
    return pids


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_when_pytest_is_ended_by(hanging, number):
    process, folder = hanging
    pids = pids_in(folder)
    if number == signal.SIGINT:
        # As a terminal sends it: to the whole group.
        os.killpg(process.pid, number)
    else:
        os.kill(process.pid, number)
    all_end_within(40, pids, f"after {number}")


def all_end_within(seconds, pids, when):
    """Waits until none of the processes lives; else fails with what they are and do."""
    end = time.monotonic() + seconds
    while left := [pid for pid in pids if is_alive(pid)]:
        assert time.monotonic() < end, f"{when} there are left:\n{described(left)}"
        time.sleep(0.05)


def described(pids):
    columns = "pid,ppid,stat,wchan:20,args"
    command = ["ps", "-o", columns, "-p", ",".join(map(str, pids))]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout


def test_nothing_is_left_when_a_worker_is_killed(hanging):
    process, folder = hanging
    pids = [int(pid) for pid in (folder / "pids-0").read_text().split()]
    os.kill(pids[0], signal.SIGKILL)
    wait_until(lambda: not any(is_alive(pid) for pid in pids), "its IOCs end with it", 20)
    os.kill(process.pid, signal.SIGINT)


def test_nothing_is_left_of_an_ioc_whose_start_is_interrupted(tmp_path):
    """The program is killed a moment after its start, when there is no IOC yet."""
    code = (
        "import os, threading, signal, time; from epics_gauge import SoftIoc\n"
        "threading.Timer(float(os.environ['AFTER']), os.kill, (os.getpid(), signal.SIGKILL)).start()\n"
        "SoftIoc(pvs=1).start(); time.sleep(60)\n"
    )
    mark = f"GAUGE_TEST_{os.getpid()}_{time.monotonic_ns()}"
    for after in (0.1, 0.3, 0.6, 1.0):
        environment = {**os.environ, "AFTER": str(after), mark: "1"}
        subprocess.run([sys.executable, "-c", code], env=environment)
    wait_until(lambda: not with_variable(mark), f"{with_variable(mark)} are left", 20)


def with_variable(name):
    """The processes that have a variable in their environment."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if name.encode() + b"=" in file.read():
                    found.append(int(pid))
        except OSError:
            continue
    return [pid for pid in found if is_alive(pid)]
