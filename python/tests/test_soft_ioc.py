"""`epics_gauge.SoftIoc` against the real program, without any client library."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import stat
import subprocess
import sys
import time

import epics_gauge
import pytest
from epics_gauge import IocError, SoftIoc
from epics_gauge.soft_ioc import macro_text

ONE = 'record(ao, "$(P=t:)x") { field(VAL, "$(V=1)") field(PINI, "YES") }'

# Records that report each of their scans once TPRO is set.
TALKING = """
record(calc, "$(P)one") { field(SCAN, ".1 second") }
record(calc, "$(P)two") { field(SCAN, ".1 second") }
"""


def is_alive(pid):
    """Whether a process is there and no zombie."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], stdout=subprocess.PIPE, text=True)
    return state.stdout.strip()[:1] not in ("", "Z")


def wait_until(condition, what, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def test_it_serves_as_long_as_the_block_and_leaves_nothing():
    with SoftIoc(records=ONE, macros={"V": 2.5}) as ioc:
        assert "2.5" in ioc.command("dbgf t:x")
        pid, folder = ioc.pid, ioc.folder
        assert is_alive(pid) and folder.is_dir() and ioc.is_running
        assert ioc.base.startswith("7.0.")
        assert ioc.environment["EPICS_PVA_SERVER_PORT"] == str(ioc.ports["pva"])
    assert not is_alive(pid) and not folder.exists() and not ioc.is_running


def test_two_at_once_have_their_own_ports():
    with SoftIoc(records=ONE) as one, SoftIoc(records=ONE) as other:
        assert not set(one.ports.values()) & set(other.ports.values())


def test_files_and_texts_have_macros_of_their_own(tmp_path):
    file = tmp_path / "a b é.db"
    file.write_text(ONE)
    db = [(file, {"P": "a:"}), (file, {"P": "b:", "V": 3})]
    with SoftIoc(db, records=[(ONE, {"P": "c:"}), ONE], macros={"P": "d:"}) as ioc:
        names = ioc.command("dbl").split()
        assert {"a:x", "b:x", "c:x", "d:x"} <= set(names)
        assert "3" in ioc.command("dbgf b:x")


@pytest.mark.parametrize("text", ["a,b", "a b", 'a "b" c', "a\\b", "a'b", "a=b", ""])
def test_any_text_can_be_the_value_of_a_macro(text):
    record = 'record(stringout, "t:text") { field(DESC, "$(T)") }'
    if '"' in text or "\\" in text:
        # Inside a database's own quotes.
        text = text.replace('"', "").replace("\\", "/")
    with SoftIoc(records=record, macros={"T": text}) as ioc:
        printed = text.replace("'", "\\'")
        assert f'"{printed}"' in ioc.command("dbgf t:text.DESC")


def test_macros_are_quoted_as_maclib_reads_them():
    assert macro_text({"A": 1, "B": "a,b"}) == 'A=1,B="a,b"'
    assert macro_text({"C": 'say "a"\\'}) == 'C="say \\"a\\"\\\\"'


def test_it_processes_and_restarts_on_the_same_and_on_other_ports():
    with SoftIoc(pvs=2) as ioc:
        before = ioc.command("dbgf gauge:0")
        ioc.process()
        assert ioc.command("dbgf gauge:0") != before
        pid, ports, port = ioc.pid, ioc.ports, ca_port(ioc)
        ioc.restart()
        assert ioc.pid != pid and ioc.ports == ports and not is_alive(pid)
        ioc.restart(same_port=False)
        assert not {ca_port(ioc), ioc.ports["pva"]} & {port, ports["pva"]}


def test_records_that_were_given_as_text_survive_a_restart():
    with SoftIoc(records=ONE, macros={"V": 1}) as ioc:
        ioc.command("dbpf t:x 7")
        ioc.restart(values=True)
        assert "7" in ioc.command("dbgf t:x")
        ioc.restart()
        assert "1" in ioc.command("dbgf t:x")


def test_a_paused_ioc_holds_its_connections_and_answers_later():
    with SoftIoc(records=ONE, server="softioc") as ioc:
        ioc.pause()
        wait_until(lambda: stat_of(ioc.pid).startswith("T"), "it is stopped")
        with socket.create_connection(("127.0.0.1", ca_port(ioc)), timeout=5) as circuit:
            circuit.settimeout(0.5)
            with pytest.raises(socket.timeout):
                # The version that a server sends first.
                assert circuit.recv(1)
            ioc.resume()
            circuit.settimeout(10)
            circuit.sendall(bytes([0, 0, 0, 0, 0, 0, 0, 13, 0, 0, 0, 0, 0, 0, 0, 0]))
            assert circuit.recv(1)


def ca_port(ioc):
    """The port of Channel Access in the environment of clients."""
    return int(ioc.environment["EPICS_CA_SERVER_PORT"])


def stat_of(pid):
    return subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], stdout=subprocess.PIPE, text=True
    ).stdout.strip()


def test_the_log_has_what_the_ioc_prints_with_its_time():
    with SoftIoc(records=TALKING, macros={"P": "t:"}) as ioc:
        begun = time.time()
        assert "t:one" not in ioc.log.split("iocInit")[-1]
        ioc.command("dbpf t:one.TPRO 1")
        line = ioc.wait_for_log("'t:one'", 10)
        assert abs(line.unix_s - begun) < 10
        with pytest.raises(IocError, match="no line of the IOC's log had 'never'"):
            ioc.wait_for_log("never", 0.2)
    assert line.text in ioc.log and line in ioc.log_lines


def test_the_end_of_an_ioc_is_told_and_a_restart_makes_it_good():
    with SoftIoc(records=ONE) as ioc:
        os.kill(ioc.pid, 9)
        wait_until(lambda: not ioc.is_running, "its end is noticed")
        with pytest.raises(IocError, match="end|kill|signal"):
            ioc.command("dbl")
        ioc.restart()
        assert ioc.is_running and "t:x" in ioc.command("dbl")


def test_an_error_of_the_database_names_its_line():
    with pytest.raises(IocError, match="line 2"):
        SoftIoc(records='record(ao, "t:x") {}\nrecord(nothing, "t:y") {}').start()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"db": "nowhere.db"}, "there is no database .*nowhere.db"),
        ({"db": ONE}, "give the text of a database to `records`"),
        ({"records": "values.db"}, "give files to `db`"),
        ({"server": "nothing"}, "unknown server `nothing`; there are: .*softioc-pva"),
        ({"program": "/nowhere/softIoc"}, "/nowhere/softIoc"),
        ({"pvs": -1}, "exit code 64|-1"),
        ({"gauge": "/nowhere/epics-gauge"}, "cannot start /nowhere/epics-gauge"),
        ({"gauge": "/bin/true"}, "exit code 0: it printed nothing"),
        ({"gauge": "/bin/echo"}, "it printed what is no event: ioc --json"),
    ],
)
def test_what_cannot_start_says_why(arguments, words):
    with pytest.raises(IocError, match=f"(?s){words}"):
        SoftIoc(**arguments).start()


def test_a_program_that_never_answers_is_ended(tmp_path):
    deaf = tmp_path / "deaf"
    deaf.write_text("#!/bin/sh\nexec sleep 600\n")
    deaf.chmod(stat.S_IRWXU)
    ioc = SoftIoc(gauge=deaf, start_timeout_s=0.5)
    with pytest.raises(IocError, match="did not be ready|not ready within 0.5 s"):
        ioc.start()
    assert not ioc.is_running


def test_methods_before_start_and_after_stop_say_so():
    ioc = SoftIoc(records=ONE)
    for use in (lambda: ioc.environment, lambda: ioc.command("dbl"), ioc.restart):
        with pytest.raises(IocError, match="was not started"):
            use()
    ioc.stop()
    with ioc:
        with pytest.raises(IocError, match="runs already"):
            ioc.start()
    with pytest.raises(IocError, match="has ended"):
        ioc.command("dbl")
    # It can be started again.
    with ioc:
        assert "t:x" in ioc.command("dbl")


def test_an_ioc_that_nobody_has_any_more_ends():
    ioc = SoftIoc(records=ONE).start()
    pid = ioc.pid
    del ioc
    gc.collect()
    wait_until(lambda: not is_alive(pid), "it ended")


def test_coroutines_have_it_while_the_loop_runs():
    async def use():
        turns = 0

        async def count():
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0.01)

        counting = asyncio.ensure_future(count())
        async with SoftIoc(records=ONE) as ioc:
            assert "t:x" in await asyncio.to_thread(ioc.command, "dbl")
            pid = ioc.pid
        counting.cancel()
        # Starting takes more than half a second, and blocks nothing.
        assert turns > 20
        return pid

    assert not is_alive(asyncio.run(use()))


def test_a_cancelled_start_leaves_nothing():
    ioc = SoftIoc(records=ONE)

    async def use():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(ioc.__aenter__(), 0.1)
        wait = asyncio.get_running_loop().time() + 20
        while not (ioc._ready and not ioc.is_running):
            assert asyncio.get_running_loop().time() < wait
            await asyncio.sleep(0.05)

    asyncio.run(use())
    assert not is_alive(ioc.pid)


def test_the_environment_of_a_client_names_this_ioc_only(monkeypatch):
    monkeypatch.setenv("EPICS_CA_NAME_SERVERS", "10.0.0.1")
    monkeypatch.setenv("MINE", "kept")
    with SoftIoc(records=ONE) as ioc:
        whole = ioc.client_environment()
        assert "EPICS_CA_NAME_SERVERS" not in whole and whole["MINE"] == "kept"
        with ioc.in_environment():
            os.environ["ADDED"] = "within"
            assert "EPICS_CA_NAME_SERVERS" not in os.environ
            assert os.environ["EPICS_CA_ADDR_LIST"] == ioc.environment["EPICS_CA_ADDR_LIST"]
    assert os.environ["EPICS_CA_NAME_SERVERS"] == "10.0.0.1"
    assert os.environ.pop("ADDED") == "within"


def test_the_program_is_found_in_this_order(tmp_path, monkeypatch):
    named = tmp_path / "mine"
    named.write_text("#!/bin/sh\n")
    named.chmod(stat.S_IRWXU)
    monkeypatch.setattr("epics_gauge.locate.scripts_folders", lambda: [tmp_path / "scripts"])
    monkeypatch.setenv("EPICS_GAUGE", str(named))
    assert epics_gauge.program() == named
    monkeypatch.setenv("EPICS_GAUGE", str(tmp_path / "none"))
    with pytest.raises(IocError, match="EPICS_GAUGE=.*none is no program"):
        epics_gauge.program()
    monkeypatch.delenv("EPICS_GAUGE")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(IocError, match="pip install epics-gauge"):
        epics_gauge.program()
    in_path = tmp_path / "epics-gauge"
    in_path.write_text("#!/bin/sh\n")
    in_path.chmod(stat.S_IRWXU)
    assert epics_gauge.program() == in_path
    (tmp_path / "scripts").mkdir()
    of_wheel = tmp_path / "scripts" / "epics-gauge"
    of_wheel.write_text("#!/bin/sh\n")
    of_wheel.chmod(stat.S_IRWXU)
    assert epics_gauge.program() == of_wheel


def test_a_worker_imports_nothing_of_the_fixture():
    code = (
        "import sys; import epics_gauge.worker; "
        "print([name for name in sys.modules if 'soft_ioc' in name or name == 'asyncio'])"
    )
    ran = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert ran.stdout.strip() == "[]"


def test_a_system_whose_c_library_is_too_old_is_named(tmp_path):
    old = tmp_path / "epics-gauge"
    old.write_text(
        "#!/bin/sh\n"
        "echo \"$0: /lib/libc.so.6: version \\`GLIBC_2.99' not found (required by $0)\" >&2\n"
        "exit 1\n"
    )
    old.chmod(0o755)
    with pytest.raises(IocError, match="GLIBC_2.99.*\n.*is older than the one") as caught:
        SoftIoc(gauge=old).start()
    assert "--no-binary" in str(caught.value)
