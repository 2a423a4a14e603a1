"""The plugin on small projects, each in a pytest of its own."""

from __future__ import annotations

import pytest
from test_soft_ioc import TALKING

DATABASE = 'record(ao, "$(P)x") { field(VAL, "$(V=1)") field(PINI, "YES") }\n'
IOC_DIES = """
    import os, time, pytest
    @pytest.mark.epics_db("talking.db", P="t:")
    def test_one(softioc):
        softioc.command("dbpf t:one.TPRO 1")
        softioc.wait_for_log("'t:one'")
        os.kill(softioc.pid, 9)
        while softioc.is_running:
            time.sleep(0.05)
        softioc.command("dbl")
"""


@pytest.fixture
def project(pytester, monkeypatch):
    """A folder with a database; what this process has set is not inherited."""
    for name in ("EPICS_CA_ADDR_LIST", "EPICS_CA_SERVER_PORT", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)
    pytester.makefile(".db", x=DATABASE, talking=TALKING)
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    return pytester


def run(project, *arguments):
    return project.runpytest_subprocess(*arguments)


def test_a_failure_shows_what_the_ioc_printed(project):
    project.makepyfile(IOC_DIES)
    ran = run(project)
    ran.assert_outcomes(failed=1)
    ran.stdout.fnmatch_lines(["*IocError: *", "*log of <SoftIoc softioc-pva*", "*'t:one'*"])


def test_a_success_shows_nothing_of_it(project):
    project.makepyfile(
        """
        import pytest
        @pytest.mark.epics_db("x.db", P="t:", V=4)
        def test_one(softioc):
            assert "4" in softioc.command("dbgf t:x")
        """
    )
    ran = run(project, "--strict-markers")
    ran.assert_outcomes(passed=1)
    ran.stdout.no_fnmatch_line("*log of*")


def test_markers_add_up_and_the_nearest_options_decide(project):
    project.makepyfile(
        """
        import pytest
        pytestmark = [pytest.mark.epics_db("x.db", P="module:"),
                      pytest.mark.epics_ioc(server="softioc-pva", pvs=1)]
        @pytest.mark.epics_db("x.db", P="test:")
        @pytest.mark.epics_records('record(ai, "$(P)y") {}', P="text:")
        @pytest.mark.epics_ioc(server="softioc")
        def test_one(softioc):
            names = set(softioc.command("dbl").split())
            assert {"module:x", "test:x", "text:y", "gauge:0"} <= names
            assert softioc.server == "softioc" and "pva" not in softioc.ports
        """
    )
    run(project).assert_outcomes(passed=1)


def test_the_options_choose_the_server(project):
    project.makepyfile(
        """
        import pytest
        @pytest.mark.epics_db("x.db", P="t:")
        def test_one(softioc, softioc_factory):
            assert softioc.server == softioc_factory(pvs=1).server == "softioc"
        """
    )
    run(project, "--softioc-server=softioc").assert_outcomes(passed=1)
    ran = run(project, "--softioc-server=nothing")
    ran.assert_outcomes(errors=1)
    ran.stdout.fnmatch_lines(["*unknown server `nothing`; there are: *"])
    ran = run(project, "--softioc-program=/nowhere/softIoc")
    ran.stdout.fnmatch_lines(["*/nowhere/softIoc*"])


def test_what_is_missing_is_told_without_a_traceback(project):
    project.makepyfile(
        """
        import pytest
        def test_without(softioc): pass
        @pytest.mark.epics_db("none.db")
        def test_no_file(softioc): pass
        @pytest.mark.epics_db(P="t:")
        def test_no_name(softioc): pass
        @pytest.mark.epics_records("record(nothing, x) {}")
        def test_wrong(softioc): pass
        """
    )
    ran = run(project)
    ran.assert_outcomes(errors=4)
    ran.stdout.fnmatch_lines(
        [
            "softioc serves nothing: name a database with @pytest.mark.epics_db*",
            "there is no database */none.db",
            "*epics_db names no file",
            "*nothing*",
        ]
    )


def test_the_factory_s_iocs_live_to_the_end_and_are_shown_too(project):
    project.makepyfile(
        """
        import pytest, time
        seen = []
        @pytest.fixture(scope="session")
        def shared(softioc_factory):
            return softioc_factory("talking.db", {"P": "t:"})
        def test_one(shared):
            seen.append(shared.pid)
            shared.command("dbpf t:one.TPRO 1")
            shared.wait_for_log("'t:one'")
            shared.command("dbpf t:one.TPRO 0")
            time.sleep(0.5)
        def test_two(shared):
            assert seen == [shared.pid]
            shared.command("dbpf t:two.TPRO 1")
            shared.wait_for_log("'t:two'")
            assert False
        """
    )
    ran = run(project)
    ran.assert_outcomes(passed=1, failed=1)
    ran.stdout.fnmatch_lines(["*log of <SoftIoc*", "*'t:two'*"])
    ran.stdout.no_fnmatch_line("*'t:one'*")


SESSION = """
    import os
    # What a library would read that is imported here.
    AT_IMPORT = os.environ.get("EPICS_CA_SERVER_PORT")
    def test_one(softioc):
        assert AT_IMPORT == softioc.environment["EPICS_CA_SERVER_PORT"]
        assert "5" in softioc.command("dbgf s:x")
    def test_two(softioc):
        assert "5" in softioc.command("dbgf s:x")
"""


@pytest.mark.parametrize("arguments", [[], ["-n", "2"]])
def test_the_ioc_of_the_session_is_there_before_modules_are_imported(project, arguments):
    project.makeini("[pytest]\nsoftioc_session = true\nsoftioc_db = x.db P=s: V=5\n")
    project.makepyfile(SESSION)
    run(project, *arguments).assert_outcomes(passed=2)


def test_a_session_that_cannot_start_stops_with_the_reason(project):
    project.makeini("[pytest]\nsoftioc_db = none.db\n")
    project.makepyfile(SESSION)
    ran = run(project, "--softioc-session")
    assert ran.ret == pytest.ExitCode.USAGE_ERROR
    ran.stderr.fnmatch_lines(["ERROR: the IOC of the session: there is no database *none.db"])
    project.makeini("[pytest]\nsoftioc_db = x.db P\n")
    ran = run(project, "--softioc-session")
    ran.stderr.fnmatch_lines(["ERROR: softioc_db: `P` of `x.db P` is not NAME=VALUE"])
    # Nothing is started where nothing is run.
    run(project, "--softioc-session", "--collect-only").stdout.fnmatch_lines(["*2 tests collected*"])


FRESH = """
    import os, sys, pytest
    first = os.getpid()
    pytestmark = [pytest.mark.epics_fresh_process, pytest.mark.epics_db("x.db", P="t:")]

    @pytest.mark.parametrize("value", ["a::b", "é [x]", " "])
    def test_good(softioc, value, record_property):
        record_property("pid", os.getpid())
        assert os.environ["EPICS_CA_SERVER_PORT"] == softioc.environment["EPICS_CA_SERVER_PORT"]

    @pytest.mark.epics_db("talking.db", P="t:")
    class TestInside:
        def test_bad(self, softioc):
            print("printed by the test")
            softioc.command("dbpf t:one.TPRO 1")
            softioc.wait_for_log("'t:one'")
            assert False

    @pytest.mark.skip
    def test_skipped(softioc): pass

    @pytest.mark.xfail
    def test_expected(softioc): assert False

    def test_crash():
        os.kill(os.getpid(), 11)
"""


@pytest.mark.parametrize("arguments", [[], ["-n", "2"]])
def test_marked_tests_run_in_processes_of_their_own(project, arguments):
    project.makepyfile(FRESH)
    ran = run(project, *arguments)
    ran.assert_outcomes(passed=3, failed=2, skipped=1, xfailed=1)
    ran.stdout.fnmatch_lines_random(
        ["*printed by the test*", "*'t:one'*", "*ended with signal 11 before the test*"]
    )


def test_options_reach_the_fresh_process_and_those_that_choose_tests_do_not(project):
    project.makeini("[pytest]\naddopts = -n 1 --import-mode=importlib\n")
    project.makepyfile(
        """
        import pytest
        @pytest.mark.epics_fresh_process
        @pytest.mark.epics_db("x.db", P="t:")
        def test_one(softioc):
            assert softioc.server == "softioc"
        """
    )
    run(project, "-k", "one", "--softioc-server=softioc").assert_outcomes(passed=1)


def test_fixtures_of_a_module_end_before_the_next_although_a_fresh_test_was_last(project):
    project.makepyfile(
        test_a="""
        import pytest
        @pytest.fixture(scope="module", autouse=True)
        def around():
            yield
            print("ended a")
        def test_here(): pass
        @pytest.mark.epics_fresh_process
        def test_there(): pass
        """,
        test_b="def test_next(): print('b')",
    )
    ran = run(project, "-s")
    ran.assert_outcomes(passed=3)
    ran.stdout.fnmatch_lines(["*ended a*", "*test_b.py b*"])


def test_coroutines_use_the_fixture(project):
    project.makepyfile(
        """
        import asyncio, pytest
        @pytest.mark.asyncio
        @pytest.mark.epics_db("x.db", P="t:")
        async def test_one(softioc):
            reader, writer = await asyncio.open_connection("127.0.0.1", softioc.ports["pva"])
            writer.close()
            assert "t:x" in await asyncio.to_thread(softioc.command, "dbl")
        """
    )
    run(project).assert_outcomes(passed=1)
