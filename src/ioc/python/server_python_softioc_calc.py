"""A Python IOC of pythonSoftIOC with calc records of EPICS Base in it, which the
IOC's own scan threads process: no Python runs while they count.

As in its documentation: `builder.records.calc`, and `dbpf` to change a field.
"""

import os
import re
import time

import softioc_parts
from epics_gauge.server import DEADLINE_S, UPDATE_FACTOR, Server as GaugeServer
from epics_gauge.server import ServerError, pv_name
from softioc import asyncio_dispatcher, builder, softioc

# The scan menu of the packaged database definition; Base names the periods.
CHOICES = {
    0.1: "10 second",
    0.2: "5 second",
    0.5: "2 second",
    1.0: "1 second",
    2.0: ".5 second",
    5.0: ".2 second",
    10.0: ".1 second",
}
# Records of gauge.db: they make a tick, and tell that a round is over.
TICK = "epics-gauge:tick"
TICKS = "epics-gauge:ticks"
SCANS = "epics-gauge:scans"
LOOK_S = 0.001
# A list in the answer of `scanppl`.
SCAN_LIST = re.compile(r"Records with SCAN = '(.*)' \((\d+) over-runs\)")


class Server(GaugeServer):
    rates_hz = tuple(CHOICES)

    def versions(self):
        return softioc_parts.versions()

    def serve(self, identity):
        for index in self.indices:
            # As db/calc.template has it.
            builder.records.calc(
                pv_name(index),
                VAL=index,
                UDF=0,
                SCAN="Event",
                EVNT="epics-gauge",
                INPA=index,
                INPB=UPDATE_FACTOR,
                CALC="C:=C+1;A+B*C",
            )
        gauge_db = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gauge.db")
        prefix = "epics-gauge:"
        softioc.dbLoadDatabase(gauge_db, substitutions=f"IDENTITY={identity.removeprefix(prefix)}")
        self.scanned = set()
        return softioc_parts.start(asyncio_dispatcher.AsyncioDispatcher())

    def tick(self):
        ticks = softioc_parts.field(TICKS)
        self.put({f"{TICK}.PROC": "1"})
        self.wait_until(lambda: softioc_parts.field(TICKS) > ticks, "process all records")

    def start_scanning(self, rate_hz):
        self.choice = CHOICES[rate_hz]
        self.scanned.add(self.choice)
        self.set_scan(self.choice)

    def stop_scanning(self):
        self.set_scan("Event")
        # The thread of this rate may be in the middle of a round. A record that
        # comes on its list now is processed after that.
        scans = softioc_parts.field(SCANS)
        self.put({f"{SCANS}.SCAN": self.choice})
        self.wait_until(lambda: softioc_parts.field(SCANS) > scans, "end its scan")
        self.put({f"{SCANS}.SCAN": "Passive"})

    def set_scan(self, choice):
        self.put({f"{pv_name(index)}.SCAN": choice for index in self.indices})

    def put(self, values):
        """Writes fields. What `dbpf` prints of each is not for the log."""
        printed = softioc_parts.printed(lambda: [softioc.dbpf(*put) for put in values.items()])
        refused = len(values) - printed.count("DBF_")
        if refused:
            raise ServerError(f"{refused} of {len(values)} fields could not be written: {printed}")

    def wait_until(self, is_done, what):
        end_s = time.monotonic() + DEADLINE_S
        while not is_done():
            if time.monotonic() > end_s:
                raise ServerError(f"the IOC did not {what} within {DEADLINE_S} s")
            time.sleep(LOOK_S)

    def made(self):
        # Not from VAL, to which clients may write.
        for index in self.indices:
            self.counts[index] = int(softioc_parts.field(f"{pv_name(index)}.C"))
        return self.counts

    def value(self, index):
        return softioc_parts.field(pv_name(index))

    def counters(self):
        return {
            "scan_overruns": self.scan_overruns(),
            **softioc_parts.subscriptions(map(pv_name, self.indices)),
            "callback_overflows": softioc_parts.callback_overflows(),
        }

    def scan_overruns(self):
        """`scanppl` leaves out lists without records, so each list that was used
        is given one for a moment."""
        printed = softioc_parts.printed(softioc.scanppl)
        for choice in self.scanned:
            self.put({f"{SCANS}.SCAN": choice})
            printed += softioc_parts.printed(softioc.scanppl)
        self.put({f"{SCANS}.SCAN": "Passive"})
        return sum(dict((choice, int(count)) for choice, count in SCAN_LIST.findall(printed)).values())
