"""A complete server of epics-gauge, with p4p."""

import threading
import time

from epics_gauge.server import Pace, Server, pv_name, serve, value_of

from p4p.nt import NTScalar
from p4p.server import Server as Library
from p4p.server.thread import SharedPV


class Minimal(Server):
    packages = ("p4p",)

    def serve(self, identity):
        self.pvs = {index: self.pv(value_of(index, 0)) for index in self.indices}
        named = {pv_name(index): pv for index, pv in self.pvs.items()}
        self.library = Library([{identity: self.pv(1.0), **named}])
        return {"pva": int(self.library.conf()["EPICS_PVAS_SERVER_PORT"])}

    def pv(self, value):
        return SharedPV(handler=self, nt=NTScalar("d"), initial=value, timestamp=time.time())

    def put(self, pv, operation):
        """p4p calls this for the put of a client."""
        pv.post(operation.value(), timestamp=time.time())
        operation.done()

    def tick(self):
        for index, pv in self.pvs.items():
            pv.post(self.next_value(index), timestamp=time.time())

    def start_scanning(self, rate_hz):
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.scan, args=(Pace(rate_hz),), daemon=True)
        self.thread.start()

    def scan(self, pace):
        while True:
            self.tick()
            pause_s = pace.pause_s()
            self.overruns = pace.overruns
            if self.stopping.wait(pause_s):
                return

    def stop_scanning(self):
        self.stopping.set()
        self.thread.join()

    def value(self, index):
        return float(self.pvs[index].current())


serve(Minimal)
