"""Finds the program `epics-gauge`."""

from __future__ import annotations

import os
import shutil
import sysconfig
from pathlib import Path

from .conversation import IocError

NAME = "epics-gauge"
# Names a program that goes before the one of PATH.
VARIABLE = "EPICS_GAUGE"


def program() -> Path:
    """The program that came in the same wheel as this module, else the one that the
    variable EPICS_GAUGE names, else the one in PATH.

    Raises IocError when there is none.
    """
    for folder in scripts_folders():
        if is_program(folder / NAME):
            return folder / NAME
    named = os.environ.get(VARIABLE)
    if named:
        if is_program(Path(named)):
            return Path(named)
        raise IocError(f"{VARIABLE}={named} is no program that can be run; correct or unset it")
    found = shutil.which(NAME)
    if found is None:
        places = ", ".join(str(folder) for folder in scripts_folders())
        raise IocError(
            f"there is no {NAME}: it is not in {places}, {VARIABLE} is not set, and PATH has "
            f"none. `pip install epics-gauge` brings it; else set {VARIABLE} to its path"
        )
    return Path(found)


def scripts_folders() -> list[Path]:
    """Where pip puts programs: beside this module's packages, and for `pip install
    --user` and `--target`."""
    here = Path(__file__).resolve().parent.parent
    folders = [here / "bin"]
    schemes = [sysconfig.get_default_scheme() if hasattr(sysconfig, "get_default_scheme") else None]
    schemes.append(f"{os.name}_user")
    for scheme in schemes:
        paths = sysconfig.get_paths(scheme) if scheme else sysconfig.get_paths()
        # Only the folder that belongs to the packages which this module is one of.
        if Path(paths["purelib"]).resolve() == here:
            folders.append(Path(paths["scripts"]))
    return folders


def is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
