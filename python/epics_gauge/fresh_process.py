"""Runs one test in a pytest of its own, and takes over its reports as pytest-xdist does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, Optional

import pytest


class HandOver:
    """The plugin of the fresh process that writes reports to a file."""

    def __init__(self, config: pytest.Config, path: str) -> None:
        self.config = config
        self.path = path

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        hook = self.config.hook
        data = hook.pytest_report_to_serializable(config=self.config, report=report)
        # Opened anew: the process may be ended by a library at any moment.
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(data) + "\n")


def end_with(parent: int) -> None:
    """Ends this process when the file descriptor `parent` does: when the process has
    ended that runs the tests, by whatever signal."""

    def wait() -> None:
        os.read(parent, 1)
        os._exit(1)

    threading.Thread(target=wait, name="epics-gauge-parent", daemon=True).start()


def run(item: pytest.Item, nextitem: Optional[pytest.Item]) -> Iterator[pytest.TestReport]:
    """Runs a test in a fresh process; its reports."""
    with tempfile.TemporaryDirectory(prefix="epics-gauge-fresh-") as folder:
        path = Path(folder) / "reports.jsonl"
        ended: list[subprocess.CompletedProcess[str]] = []
        begun = call(lambda: ended.append(started(item, path)), "call")
        if begun.excinfo is not None:
            yield pytest.TestReport.from_item_and_call(item, begun)
        else:
            yield from reports(item, path, ended[0])
    # What earlier tests of its module and class have set up and later ones do not need.
    setup_state = item.session._setupstate
    left = call(lambda: setup_state.teardown_exact(nextitem), "teardown")
    if left.excinfo is not None:
        yield pytest.TestReport.from_item_and_call(item, left)


def call(work: Callable[[], None], when: Literal["call", "teardown"]) -> pytest.CallInfo[None]:
    interruptions = (KeyboardInterrupt, pytest.exit.Exception)
    return pytest.CallInfo.from_call(work, when=when, reraise=interruptions)


def started(item: pytest.Item, path: Path) -> subprocess.CompletedProcess[str]:
    here, there = os.pipe()
    try:
        return subprocess.run(
            command(item, path, here),
            pass_fds=[here],
            cwd=item.config.invocation_params.dir,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
    finally:
        os.close(there)
        os.close(here)


def command(item: pytest.Item, path: Path, parent: int) -> list[str]:
    """A pytest with the settings of this one, for one test."""
    config = item.config
    options = config.option
    _, _, inside = item.nodeid.partition("::")
    words = [
        f"{item.path}::{inside}",
        f"--rootdir={config.rootpath}",
        f"--softioc-reports={path}",
        f"--softioc-parent={parent}",
        "-q",
        "-p",
        "no:cacheprovider",
    ]
    if config.inipath is not None:
        words += ["-c", str(config.inipath)]
    # -n may stand in the ini file.
    if config.pluginmanager.hasplugin("xdist"):
        words += ["-n", "0", "--dist", "no"]
    for name, values in (
        ("-p", options.plugins),
        ("-o", options.override_ini),
        ("-W", options.pythonwarnings),
    ):
        for value in values or []:
            # Workers of pytest-xdist have no terminal.
            if value != "no:terminal":
                words += [name, value]
    for name in ("importmode", "confcutdir", "asyncio_mode"):
        value = getattr(options, name, None)
        if value is not None:
            words.append(f"--{name.replace('importmode', 'import-mode').replace('_', '-')}={value}")
    for name in ("program", "dbd", "server"):
        value = getattr(options, f"softioc_{name}")
        if value is not None:
            words.append(f"--softioc-{name}={value}")
    code = (
        f"import sys; sys.path[:] = {sys.path!r}; import pytest; "
        "sys.exit(pytest.main(sys.argv[1:]))"
    )
    return [sys.executable, "-c", code, *words]


def reports(
    item: pytest.Item, path: Path, ended: subprocess.CompletedProcess[str]
) -> Iterator[pytest.TestReport]:
    """What the fresh process has reported, and an error when that is not all."""
    config = item.config
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    phases = []
    for line in lines:
        report = config.hook.pytest_report_from_serializable(config=config, data=json.loads(line))
        phases.append(report.when)
        yield report
    if "teardown" in phases:
        return
    how = f"exit code {ended.returncode}"
    if ended.returncode < 0:
        how = f"signal {-ended.returncode}"
    error = f"the test's own process ended with {how} before the test did:\n{ended.stdout}"

    def fail() -> None:
        pytest.fail(error, pytrace=False)

    yield pytest.TestReport.from_item_and_call(item, call(fail, "call"))
