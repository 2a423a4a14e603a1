"""A real EPICS IOC for the tests of Python programs, and the parts of clients and
servers that `epics-gauge` measures.

    from epics_gauge import SoftIoc

    with SoftIoc(records='record(ao, "t:x") {}') as ioc:
        my_client(ioc.environment)

`epics_gauge.worker` and `epics_gauge.server` are for programs that are measured;
`epics_gauge.pytest_plugin` is found by pytest by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .locate import program
    from .soft_ioc import IocError, LogLine, SoftIoc

__all__ = ["IocError", "LogLine", "SoftIoc", "program"]

HOMES = {
    "IocError": "conversation",
    "LogLine": "conversation",
    "SoftIoc": "soft_ioc",
    "program": "locate",
}


def __getattr__(name: str) -> Any:
    """Imports on first use: a worker, whose time and memory are measured, imports
    `epics_gauge.worker` and nothing of this."""
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{HOMES[name]}"), name)
