"""`SoftIoc`: a real, isolated IOC for as long as a test needs it."""

from __future__ import annotations

import asyncio
import os
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Optional, Union

from .conversation import Conversation, IocError, LogLine, end
from .locate import program as find_program

__all__ = ["IocError", "LogLine", "SoftIoc", "replace_client_settings"]

FilePath = Union[str, "os.PathLike[str]"]
Macros = Mapping[str, object]
# A file, or a file with macros of its own.
Database = Union[FilePath, "tuple[FilePath, Macros]"]
# The same with a text instead of a file.
Records = Union[str, "tuple[str, Macros]"]

# What clients of both protocols read; those of servers go to the IOC alone.
CLIENT_VARIABLES = ("EPICS_CA_", "EPICS_PVA_")
# What macLib takes for its own.
SPECIAL = set(" \t,=\"'\\")


class SoftIoc:
    """An IOC on ports of its own on loopback, which ends with the `with` block, with
    this process, and when nobody has it any more.

    db: database files (`.db`, `.template`, `.substitutions`): a path, or several; a pair
        of path and macros gives one its own.
    macros: those of every file without its own, and of `records`.
    records: the text of a database, or several; pairs of text and macros as well.
    server: `softioc-pva` (Channel Access and pvAccess), `softioc`, or another one of
        `epics-gauge list servers`.
    pvs, rate_hz: serve `gauge:0`, `gauge:1`, … instead of or beside the databases, and
        update them this often.
    acf, acf_macros: an access security file.
    cmd: a start-up script of your own.
    program, dbd: an IOC of your own instead of the softIoc that comes with this package.
    before_init, after_init: commands of the IOC's shell around `iocInit`.
    lookup: how clients find its PVs, `udp` or `name-server`.
    arguments: further arguments of `epics-gauge ioc`.
    gauge: the program `epics-gauge`; found as `epics_gauge.program()` says.
    start_timeout_s, timeout_s: how long it may take to start, and to do one thing.

    Every method blocks; in a coroutine, `await asyncio.to_thread(ioc.restart)`.
    """

    def __init__(
        self,
        db: Union[Database, Sequence[Database]] = (),
        macros: Optional[Macros] = None,
        *,
        records: Union[Records, Sequence[Records]] = (),
        server: str = "softioc-pva",
        pvs: Optional[int] = None,
        rate_hz: Optional[float] = None,
        acf: Optional[FilePath] = None,
        acf_macros: Optional[Macros] = None,
        cmd: Optional[FilePath] = None,
        program: Optional[FilePath] = None,
        dbd: Optional[FilePath] = None,
        before_init: Sequence[str] = (),
        after_init: Sequence[str] = (),
        lookup: Optional[str] = None,
        arguments: Sequence[str] = (),
        gauge: Optional[FilePath] = None,
        start_timeout_s: float = 60.0,
        timeout_s: float = 30.0,
    ) -> None:
        self.server = server
        self.start_timeout_s = start_timeout_s
        self.timeout_s = timeout_s
        self._gauge = gauge
        self._macros = dict(macros or {})
        self._databases = databases_of(db, self._macros)
        self._records = with_macros(records, self._macros)
        for text, _ in self._records:
            if "record" not in text:
                raise IocError(
                    f"`records` is the text of a database, and {text!r} has no record; "
                    "give files to `db`"
                )
        self._options = [
            *option("--server", server),
            *option("--pvs", pvs),
            *option("--rate", rate_hz),
            *option("--acf", acf),
            *option("--acf-macros", macro_text(acf_macros or {}) or None),
            *option("--cmd", cmd),
            *option("--program", program),
            *option("--dbd", dbd),
            *(f"--before-init={line}" for line in before_init),
            *(f"--after-init={line}" for line in after_init),
            *option("--lookup", lookup),
            *arguments,
        ]
        self._conversation: Optional[Conversation] = None
        self._finalizer: Optional[weakref.finalize[Any, Any]] = None
        self._folder: Optional[tempfile.TemporaryDirectory[str]] = None
        self._ready: dict[str, Any] = {}

    def start(self) -> SoftIoc:
        """Starts it and waits until it serves. Raises IocError with the reason."""
        if self.is_running:
            raise IocError("this IOC runs already")
        # A restart reads them again, so they stay for as long as it runs.
        self._folder = tempfile.TemporaryDirectory(prefix="epics-gauge-records-")
        try:
            files = [*self._databases, *self._written_records()]
            own = f"--with={os.getpid()}"
            arguments = ["ioc", "--json", own, *self._options, *database_arguments(files)]
            self._conversation = Conversation([os.fspath(self._gauge or find_program()), *arguments])
            self._finalizer = weakref.finalize(self, end, self._conversation.process)
            self._ready = self._conversation.ready(self.start_timeout_s)
        except BaseException:
            self.stop()
            raise
        return self

    def _written_records(self) -> Iterator[tuple[str, Macros]]:
        assert self._folder is not None
        for number, (text, macros) in enumerate(self._records, start=1):
            path = Path(self._folder.name) / f"records-{number}.db"
            path.write_bytes(text.encode(errors="surrogateescape"))
            yield os.fspath(path), macros

    def stop(self) -> None:
        """Ends it; no error when it does not run. Its log stays."""
        if self._conversation is not None:
            self._conversation.close()
        if self._finalizer is not None:
            self._finalizer.detach()
        if self._folder is not None:
            self._folder.cleanup()

    def __enter__(self) -> SoftIoc:
        return self.start()

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.stop()

    async def __aenter__(self) -> SoftIoc:
        loop = asyncio.get_running_loop()
        starting = loop.run_in_executor(None, self.start)
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            starting.add_done_callback(lambda _: self.stop())
            raise
        return self

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self.stop)

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended since."""
        conversation = self._conversation
        return (
            conversation is not None
            and conversation.ended is None
            and conversation.process.poll() is None
        )

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs in its environment to find this IOC and no other."""
        return dict(self._fact("environment"))

    @property
    def pid(self) -> int:
        """The process of the IOC."""
        return int(self._fact("pid"))

    @property
    def ports(self) -> dict[str, int]:
        """Its ports: `ca`, `pva` and `repeater`, those that it has."""
        return {name: port for name, port in self._fact("ports").items() if port is not None}

    @property
    def base(self) -> Optional[str]:
        """The release of EPICS Base in it, when it has one."""
        self._fact("pid")
        return self._ready.get("base")

    @property
    def folder(self) -> Optional[Path]:
        """Its private working folder, which is removed with it, when it is a softIoc."""
        folder = self._fact("folder")
        return None if folder is None else Path(folder)

    @property
    def log_lines(self) -> list[LogLine]:
        """What it has printed so far; of very much, the end."""
        if self._conversation is None:
            return []
        with self._conversation.logged:
            return list(self._conversation.log)

    @property
    def log(self) -> str:
        """The same as one text."""
        return "\n".join(line.text for line in self.log_lines)

    def wait_for_log(self, text: str, timeout_s: Optional[float] = None) -> LogLine:
        """Waits for a line that contains `text`, unless there is one already."""
        return self._talk().wait_for_log(text, self.timeout_s if timeout_s is None else timeout_s)

    def command(self, text: str) -> str:
        """Has the IOC's shell do one command; what it printed."""
        return str(self._ask("command", text=text)["text"])

    def process(self) -> None:
        """Processes the records of `pvs` once; returns when all have new values."""
        self._ask("process")

    def restart(
        self, *, same_port: bool = True, values: bool = False, clean: bool = False
    ) -> None:
        """Kills the IOC and starts it again, also one that has ended by itself.

        same_port: else it gets other ports, and `environment` changes.
        values: its records get back the values that they had.
        clean: it is asked to end instead of being killed.
        """
        port = "same" if same_port else "other"
        answer = self._ask("restart", self.start_timeout_s, port=port, values=values, clean=clean)
        self._ready.update(answer)

    def pause(self) -> None:
        """Stops the process of the IOC as it is: connections stay, nothing comes."""
        self._ask("pause")

    def resume(self) -> None:
        """Lets it go on."""
        self._ask("resume")

    def client_environment(self, inherited: Optional[Mapping[str, str]] = None) -> dict[str, str]:
        """A whole environment for a client's process: the one inherited (that of this
        process) without what might lead to other IOCs, and with `environment`."""
        inherited = os.environ if inherited is None else inherited
        others = client_settings(inherited)
        kept = {name: value for name, value in inherited.items() if name not in others}
        return {**kept, **self.environment}

    @contextmanager
    def in_environment(self) -> Iterator[SoftIoc]:
        """Gives the clients of this process that environment for the `with` block.
        Libraries that have read theirs before do not notice."""
        before = client_settings(os.environ)
        replace_client_settings(self.environment)
        try:
            yield self
        finally:
            replace_client_settings(before)

    def __repr__(self) -> str:
        state = f"pid {self._ready['pid']}" if self.is_running and self._ready else "not running"
        return f"<SoftIoc {self.server}, {state}>"

    def _ask(self, request: str, timeout_s: Optional[float] = None, **fields: Any) -> Any:
        message = {"request": request, **fields}
        return self._talk().ask(message, timeout_s or self.timeout_s)

    def _talk(self) -> Conversation:
        if self._conversation is None:
            raise IocError("this IOC was not started: use `with SoftIoc(…) as ioc:` or start()")
        return self._conversation

    def _fact(self, name: str) -> Any:
        self._talk()
        return self._ready[name]


def option(name: str, value: object) -> list[str]:
    if value is None:
        return []
    text = os.fspath(value) if isinstance(value, os.PathLike) else str(value)
    return [f"{name}={text}"]


def databases_of(
    db: Union[Database, Sequence[Database]], macros: Macros
) -> list[tuple[str, Macros]]:
    """Each file with its macros. Raises IocError for one that is not there."""
    files = []
    for path, own in with_macros(db, macros):
        if "record(" in os.fspath(path):
            raise IocError("`db` names files; give the text of a database to `records`")
        if not os.path.isfile(path):
            raise IocError(f"there is no database {os.path.abspath(path)}")
        files.append((os.path.abspath(path), own))
    return files


def with_macros(some: Any, macros: Macros) -> list[tuple[Any, Macros]]:
    """One thing or several, each with its own macros or those of all."""
    is_one = isinstance(some, (str, os.PathLike)) or is_pair(some)
    return [one if is_pair(one) else (one, macros) for one in ([some] if is_one else some)]


def is_pair(some: object) -> bool:
    return isinstance(some, tuple) and len(some) == 2 and isinstance(some[1], Mapping)


def database_arguments(files: Iterable[tuple[str, Macros]]) -> list[str]:
    return [
        word
        for path, macros in files
        for word in (f"--db={path}", *option("--macros", macro_text(macros) or None))
    ]


def macro_text(macros: Macros) -> str:
    """Macros as macLib reads them: a value with a blank, comma or quote is quoted."""
    return ",".join(f"{name}={quoted(str(value))}" for name, value in macros.items())


def quoted(value: str) -> str:
    if value and not SPECIAL & set(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def client_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Those variables of an environment that clients read."""
    return {
        name: value for name, value in environment.items() if name.startswith(CLIENT_VARIABLES)
    }


def replace_client_settings(wanted: Mapping[str, str]) -> None:
    """Makes `wanted` the settings of clients in this process, for C libraries too."""
    for name in client_settings(os.environ).keys() - wanted.keys():
        del os.environ[name]
    os.environ.update(wanted)
