"""A pvAccess server of p4p: one `SharedPV` for each PV, posted to from a thread.

As in p4p's documentation: `SharedPV(nt=NTScalar('d'), initial=…)` with a handler
for puts, a `Server` with a dictionary of PVs, and a loop that calls `post`.
"""

import re
import threading
import time

from epics_gauge.server.database import STATE_FIELDS, Shell, records_of
from epics_gauge.server import DEADLINE_S, Pace, ServerError, pv_name, value_of
from epics_gauge.server import Server as GaugeServer
from epics_gauge.worker import distribution_versions
from p4p.nt import NTEnum, NTScalar
from p4p.server import Server as PvaServer
from p4p.server.thread import SharedPV

# NTScalar's letters for types.
LETTERS = {
    "byte": "b", "ubyte": "B", "short": "h", "ushort": "H", "int": "i", "uint": "I", "long": "l",
    "ulong": "L", "float": "f", "double": "d", "string": "s",
}
# The record types that a normative type stands for, and the fields that it has.
TYPES = ("ao", "longout", "int64out", "stringout", "bo", "mbbo", "waveform")
FIELDS = ("VAL", "PINI", "EGU", "HOPR", "LOPR", "FTVL", "NELM", "INP", *STATE_FIELDS)
# An operation in the server's own report.
MONITOR = re.compile(r"ioid=\d+ MONITOR\b")


class Handler:
    """What a put of a client does."""

    def put(self, pv, op):
        pv.post(op.value(), timestamp=time.time())
        op.done()


def plain(value):
    """What a normative type holds. p4p's own unwrapping fails for an empty array."""
    held = value.value
    return held.index if hasattr(held, "index") and hasattr(held, "choices") else held


def of_record(record, handler):
    """The normative type of a record, with what its fields say."""
    now = time.time()
    if record.kind == "enum":
        value = {"index": record.initial(), "choices": record.choices}
        return SharedPV(
            handler=handler, nt=NTEnum(), unwrap=plain, initial=value, timestamp=now
        )
    letter = LETTERS[record.kind]
    if record.kind == "string":
        nt = NTScalar(letter if record.length is None else "a" + letter)
        return SharedPV(
            handler=handler, nt=nt, unwrap=plain, initial=record.initial(), timestamp=now
        )
    nt = NTScalar(letter if record.length is None else "a" + letter, display=True)
    number = float if record.kind in ("double", "float") else int
    display = {
        "units": record.fields.get("EGU", ""),
        "limitLow": number(record.number("LOPR")),
        "limitHigh": number(record.number("HOPR")),
    }
    value = {"value": record.initial(), "display": display}
    return SharedPV(handler=handler, nt=nt, unwrap=plain, initial=value, timestamp=now)


class Server(GaugeServer):
    def versions(self):
        return distribution_versions("p4p", "pvxslibs", "epicscorelibs", "numpy")

    def serve(self, identity):
        handler = Handler()

        def shared_pv(value):
            return SharedPV(
                handler=handler, nt=NTScalar("d"), initial=value, timestamp=time.time()
            )

        self.pvs = {index: shared_pv(value_of(index, 0)) for index in self.indices}
        named = {pv_name(index): pv for index, pv in self.pvs.items()}
        held = records_of(self.database or "", TYPES, FIELDS)
        self.held = {name: of_record(record, handler) for name, record in held.items()}
        self.commands = Shell(held, self.current, self.post)
        pvs = {identity: shared_pv(1.0), **named, **self.held}
        self.server = PvaServer(providers=[pvs])
        return {"pva": int(self.server.conf()["EPICS_PVAS_SERVER_PORT"])}

    def tick(self):
        for index, pv in self.pvs.items():
            pv.post(self.next_value(index), timestamp=time.time())

    def start_scanning(self, rate_hz):
        self.stopping = threading.Event()
        self.error = None
        self.thread = threading.Thread(target=self.scan, args=(rate_hz,), daemon=True)
        self.thread.start()

    def scan(self, rate_hz):
        pace = Pace(rate_hz)
        before = self.overruns
        try:
            while True:
                self.tick()
                pause_s = pace.pause_s()
                self.overruns = before + pace.overruns
                if self.stopping.wait(pause_s):
                    return
        except Exception as error:
            self.error = error

    def stop_scanning(self):
        self.stopping.set()
        self.thread.join(DEADLINE_S)
        if self.thread.is_alive():
            raise ServerError(f"the round of updates did not end within {DEADLINE_S} s")
        if self.error is not None:
            raise self.error

    def current(self, record):
        value = self.held[record.name].current()
        if record.length is None:
            return value
        return [] if value is None else list(value)

    def post(self, record, value):
        self.held[record.name].post(value, timestamp=time.time())

    def shell(self, command):
        return self.commands.run(command)

    def value(self, index):
        return float(self.pvs[index].current())

    def counters(self):
        # Nothing counts the updates that a monitor's queue had no room for.
        report = self.server.tostr(3)
        return {**super().counters(), "subscriptions": len(MONITOR.findall(report))}
