"""The pytest plugin: the fixtures `softioc` and `softioc_factory`.

    @pytest.mark.epics_db("motor.db", P="t:")
    def test_reads(softioc):
        assert epics_client.get("t:x") == 1.5

While a test has `softioc`, this process has the IOC's client settings in its
environment. A library that reads them once for a process (pyepics, pvapy, ophyd-async
over pvAccess) takes part in one of two ways: `softioc_session` starts one IOC before
any test module is imported, and a test marked `epics_fresh_process` runs in a process
of its own.

pytest finds this file by the entry point `pytest11` of the package.
"""

from __future__ import annotations

import argparse
import os
import shlex
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import pytest

from . import fresh_process

if TYPE_CHECKING:
    from .soft_ioc import SoftIoc

# How many lines of an IOC's log the report of a failure shows.
LOG_LINES = 100

FRESH_PROCESS = "epics_fresh_process"
MARKERS = (
    "epics_db(*files, **macros): the databases of `softioc`, each relative to the folder of "
    "the test; repeat the marker for files with other macros",
    "epics_records(text, **macros): the text of a database for `softioc`",
    "epics_ioc(**options): further arguments of epics_gauge.SoftIoc for `softioc`",
    f"{FRESH_PROCESS}: runs the test in a process of its own, for client libraries that read "
    "their environment once",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("softioc", "EPICS IOCs of epics-gauge")
    group.addoption("--softioc-program", metavar="PATH", help="a softIoc or IOC of your own")
    group.addoption("--softioc-dbd", metavar="PATH", help="the database definition of that IOC")
    group.addoption(
        "--softioc-server",
        metavar="NAME",
        help="the server that tests get: softioc-pva (the default), softioc, …",
    )
    group.addoption(
        "--softioc-session",
        action="store_true",
        help="start one IOC with the databases of the ini option softioc_db before test "
        "modules are imported, for libraries that read their environment once",
    )
    group.addoption("--softioc-reports", help=argparse.SUPPRESS)
    group.addoption("--softioc-parent", type=int, help=argparse.SUPPRESS)
    parser.addini("softioc_session", "the same as --softioc-session", type="bool", default=False)
    parser.addini(
        "softioc_db",
        "databases of the session's IOC, one a line: FILE [NAME=VALUE]…",
        type="linelist",
        default=[],
    )


class Iocs:
    """The IOCs of one pytest process."""

    def __init__(self, config: pytest.Config) -> None:
        self.defaults = {
            name: config.getoption(f"softioc_{name}")
            for name in ("program", "dbd", "server")
            if config.getoption(f"softioc_{name}") is not None
        }
        # Those that outlive a test.
        self.shared: list[SoftIoc] = []
        # The one that was started before the tests.
        self.of_session: Optional[SoftIoc] = None
        self.client_settings: dict[str, str] = {}

    def start(self, *args: Any, **options: Any) -> SoftIoc:
        from .soft_ioc import SoftIoc

        return SoftIoc(*args, **{**self.defaults, **options}).start()

    def start_session(self, config: pytest.Config) -> None:
        from .soft_ioc import IocError, client_settings, replace_client_settings

        try:
            databases = [database_of_line(config, line) for line in config.getini("softioc_db")]
            self.of_session = self.start(databases, **({} if databases else {"pvs": 1}))
        except IocError as error:
            raise pytest.UsageError(f"the IOC of the session: {error}") from error
        self.shared.append(self.of_session)
        self.client_settings = client_settings(os.environ)
        replace_client_settings(self.of_session.environment)

    def stop(self) -> None:
        for ioc in reversed(self.shared):
            ioc.stop()
        if self.of_session is not None:
            from .soft_ioc import replace_client_settings

            replace_client_settings(self.client_settings)


class SoftIocFactory:
    """Starts IOCs that live to the end of the session; its arguments are those of
    `epics_gauge.SoftIoc`."""

    def __init__(self, iocs: Iocs) -> None:
        self._iocs = iocs

    def __call__(self, *args: Any, **options: Any) -> SoftIoc:
        ioc = self._iocs.start(*args, **options)
        self._iocs.shared.append(ioc)
        return ioc


IOCS = pytest.StashKey[Iocs]()
# The IOCs of a test alone, and since when it runs.
OWN = pytest.StashKey["list[SoftIoc]"]()
STARTED_S = pytest.StashKey[float]()


def pytest_configure(config: pytest.Config) -> None:
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    iocs = config.stash[IOCS] = Iocs(config)
    parent = config.getoption("softioc_parent")
    if parent is not None:
        fresh_process.end_with(parent)
    reports = config.getoption("softioc_reports")
    if reports is not None:
        config.pluginmanager.register(fresh_process.HandOver(config, reports))
    wants_session = config.getoption("softioc_session") or config.getini("softioc_session")
    if wants_session and runs_tests(config):
        iocs.start_session(config)


def runs_tests(config: pytest.Config) -> bool:
    """Not where tests are only listed, nor in the process that hands them to the
    workers of pytest-xdist."""
    is_worker = hasattr(config, "workerinput")
    is_controller = not is_worker and config.getoption("dist", "no") != "no"
    return not is_controller and not config.getoption("collectonly")


def pytest_unconfigure(config: pytest.Config) -> None:
    if IOCS in config.stash:
        config.stash[IOCS].stop()


@pytest.fixture(scope="session")
def softioc_factory(pytestconfig: pytest.Config) -> SoftIocFactory:
    """Starts IOCs that live to the end of the session: `softioc_factory(db=…, …)`. Their
    client settings are in `ioc.environment`; `with ioc.in_environment():` gives them to
    this process."""
    return SoftIocFactory(pytestconfig.stash[IOCS])


@pytest.fixture
def softioc(request: pytest.FixtureRequest) -> Iterator[SoftIoc]:
    """An IOC for this test alone, with the databases of its marker `epics_db`; without a
    marker, the one of the session. Its client settings are in this process's
    environment."""
    iocs = request.config.stash[IOCS]
    options = options_of(request.node)
    if options is None:
        if iocs.of_session is None:
            pytest.fail(
                "softioc serves nothing: name a database with @pytest.mark.epics_db(FILE), or "
                "its text with @pytest.mark.epics_records(TEXT)",
                pytrace=False,
            )
        yield iocs.of_session
        return
    from .soft_ioc import IocError

    try:
        ioc = iocs.start(**options)
    except IocError as error:
        pytest.fail(str(error), pytrace=False)
    request.node.stash.setdefault(OWN, []).append(ioc)
    try:
        with ioc.in_environment():
            yield ioc
    finally:
        ioc.stop()


def options_of(node: pytest.Item) -> Optional[dict[str, Any]]:
    """The arguments of SoftIoc that a test's markers ask for; None without a marker."""
    databases = []
    for marker in node.iter_markers("epics_db"):
        if not marker.args:
            raise pytest.UsageError(f"{node.nodeid}: epics_db names no file")
        databases += [(beside(node.path, file), marker.kwargs) for file in marker.args]
    records = list(node.iter_markers("epics_records"))
    others = list(node.iter_markers("epics_ioc"))
    if not (databases or records or others):
        return None
    options: dict[str, Any] = {"db": databases}
    # The marker next to the test comes first, and decides.
    for marker in reversed(others):
        options.update(marker.kwargs)
    if records:
        options["records"] = [(marker.args[0], marker.kwargs) for marker in records]
    return options


def beside(test: Path, file: str) -> Path:
    return test.parent / file


def database_of_line(config: pytest.Config, line: str) -> tuple[Path, dict[str, str]]:
    """`FILE NAME=VALUE…`, FILE relative to the ini file."""
    file, *assignments = shlex.split(line)
    macros = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise pytest.UsageError(f"softioc_db: `{assignment}` of `{line}` is not NAME=VALUE")
        macros[name] = value
    folder = config.inipath.parent if config.inipath else config.rootpath
    return folder / file, macros


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: Optional[pytest.Item]) -> Optional[bool]:
    """Runs a marked test in a process of its own."""
    item.stash[STARTED_S] = time.time()
    is_fresh = item.config.getoption("softioc_reports") is not None
    if is_fresh or item.get_closest_marker(FRESH_PROCESS) is None:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in fresh_process.run(item, nextitem):
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """Adds what the IOCs printed to the report of a failure."""
    report = (yield).get_result()
    if not report.failed:
        return
    started_s = item.stash.get(STARTED_S, 0.0)
    for ioc in [*item.stash.get(OWN, []), *item.config.stash[IOCS].shared]:
        lines = [line.text for line in ioc.log_lines if line.unix_s >= started_s]
        if not lines:
            continue
        left_out = len(lines) - LOG_LINES
        if left_out > 0:
            lines[:left_out] = [f"({left_out} lines before)"]
        report.sections.append((f"log of {ioc!r}", "\n".join(lines)))
