"""What ci/check-wheel finds wrong."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

CI = Path(__file__).parents[2] / "ci" / "wheel"


def script(name):
    spec = importlib.util.spec_from_file_location(name, CI / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def readelf(*symbols, libraries=("libc.so.6",)):
    lines = [f"  0x0010:   Name: {symbol}  Flags: none  Version: 2" for symbol in symbols]
    lines += [f" 0x01 (NEEDED)  Shared library: [{library}]" for library in libraries]
    return "\n".join(lines)


GOOD = {
    "epics-gauge": readelf("GLIBC_2.2.5", "GLIBC_2.34", "GLIBCXX_3.4.29"),
    "softIoc": readelf("GLIBC_2.17"),
}


def test_a_tag_that_is_what_the_newest_program_needs_is_right():
    assert script("tag").check("manylinux_2_34_x86_64", GOOD) == (2, 34)


@pytest.mark.parametrize(
    ("tag", "more", "words"),
    [
        ("linux_x86_64", {}, "none of manylinux"),
        ("manylinux_2_28_x86_64", {}, "epics-gauge needs GLIBC 2.34, and the tag says 2.28"),
        ("manylinux_2_36_x86_64", {}, "nothing needs more than GLIBC 2.34"),
        # What travels inside counts as well.
        ("manylinux_2_34_x86_64", {"softIocPvx": readelf("GLIBC_2.36")}, "softIocPvx needs GLIBC"),
        ("manylinux_2_34_x86_64", {"x": readelf("GLIBC_2.4", "GLIBCXX_3.4.30")}, "x needs GLIBCXX"),
        (
            "manylinux_2_34_x86_64",
            {"x": readelf("GLIBC_2.4", libraries=["libreadline.so.8"])},
            "x needs libreadline.so.8",
        ),
    ],
)
def test_a_wrong_tag_is_told_with_the_program_that_contradicts_it(tag, more, words):
    module = script("tag")
    with pytest.raises(module.Wrong, match=words):
        module.check(tag, {**GOOD, **more})


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks into /proc")
def test_a_process_that_is_left_over_is_found():
    module = script("left_over")
    mark = f"{os.getpid()}-left"
    assert module.processes_with("LEFT_OVER_TEST", mark) == {}
    child = subprocess.Popen(["sleep", "60"], env={**os.environ, "LEFT_OVER_TEST": mark})
    try:
        found = module.processes_with("LEFT_OVER_TEST", mark)
        assert list(found) == [child.pid] and "sleep" in found[child.pid]
    finally:
        child.kill()
        child.wait()
    assert module.processes_with("LEFT_OVER_TEST", mark) == {}


def test_what_needs_no_client_is_a_part_of_the_lock():
    lock = Path(__file__).with_name("requirements.lock")
    printed = subprocess.run(
        [sys.executable, CI / "without_clients.py", lock], stdout=subprocess.PIPE, text=True
    ).stdout
    names = [line.split("==")[0] for line in printed.splitlines() if "==" in line]
    assert "pytest" in names and "pyepics" not in names
    assert printed.count("--hash=") >= len(names)
