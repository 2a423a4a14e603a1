"""A pvAccess server of p4p: one `SharedPV` for each PV, posted to from a thread.

As in p4p's documentation: `SharedPV(nt=NTScalar('d'), initial=…)` with a handler
for puts, a `Server` with a dictionary of PVs, and a loop that calls `post`.
"""

import re
import threading
import time

from epics_gauge.server import DEADLINE_S, Pace, ServerError, pv_name, value_of
from epics_gauge.server import Server as GaugeServer
from epics_gauge.worker import distribution_versions
from p4p.nt import NTScalar
from p4p.server import Server as PvaServer
from p4p.server.thread import SharedPV

# An operation in the server's own report.
MONITOR = re.compile(r"ioid=\d+ MONITOR\b")


class Handler:
    """What a put of a client does."""

    def put(self, pv, op):
        pv.post(op.value(), timestamp=time.time())
        op.done()


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
        self.server = PvaServer(providers=[{identity: shared_pv(1.0), **named}])
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

    def value(self, index):
        return float(self.pvs[index].current())

    def counters(self):
        # Nothing counts the updates that a monitor's queue had no room for.
        report = self.server.tostr(3)
        return {**super().counters(), "subscriptions": len(MONITOR.findall(report))}
