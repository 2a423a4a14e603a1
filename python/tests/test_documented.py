"""The examples for Python of docs/testing-your-code.md, run as they stand there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATABASE = ROOT / "tests" / "current.db"


def examples():
    parts = (ROOT / "docs" / "testing-your-code.md").read_text().split("```python\n")[1:]
    return [part.split("```")[0] for part in parts]


def test_the_test_for_pytest_passes_and_notices_a_wrong_value(pytester):
    pytest.importorskip("caproto")
    test, _ = examples()
    assert len(test.splitlines()) <= 12
    (pytester.path / "tests").mkdir()
    (pytester.path / "tests" / "current.db").write_text(DATABASE.read_text())
    (pytester.path / "tests" / "test_current.py").write_text(test)
    pytester.runpytest_subprocess().assert_outcomes(passed=1)
    # It has not passed for another reason.
    database = DATABASE.read_text().replace("1.5", "1.25")
    (pytester.path / "tests" / "current.db").write_text(database)
    pytester.runpytest_subprocess().assert_outcomes(failed=1)


def test_the_example_without_pytest_prints_what_it_shows():
    _, program = examples()
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    assert "'EPICS_CA_ADDR_LIST': '127.0.0.1'" in ran.stdout and "1.5" in ran.stdout
