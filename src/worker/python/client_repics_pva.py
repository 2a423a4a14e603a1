"""Approach repics-pva: its pvAccess `Context`, with lists of PVs for bulk work.

Left to itself the library joins the IPv6 multicast group of beacons, on whatever interface
the system chooses, which leaves this machine. It does without when it cannot bind the port
of beacons for IPv6: so that port is held here.
"""

import functools
import os
import socket
import time

import numpy  # noqa: F401  (repics uses it)

from repics import pva

from epics_gauge import worker
import ask_repics_pva

VALUE = "field(value)"
UPDATE = "field(value,timeStamp)"


class Client(worker.Client):
    # Without `create`: `connect` does both. Without `put-unconfirmed`: the library waits for
    # the server's answer to every put.
    stages = worker.stages_without("create", "put-unconfirmed")
    reports = ("states", "unconnected", "mixed")
    warnings = (
        "connect contains a first get in bulk mode: the library connects one PV at a time",
        "put reads before it writes: the library does it by default",
    )

    def __init__(self):
        self.asked = ask_repics_pva.Asked()
        self.beacon_port = None
        self.library_context = None
        self.subscriptions = []

    def versions(self):
        return worker.distribution_versions("repics", "numpy")

    def context(self):
        self.beacon_port = held_beacon_port()
        self.library_context = pva.Context()

    def connect(self, mode):
        self.read("connected", mode, range(len(self.job.pvs)))

    def seek(self, pvs, connected):
        self.sought = [
            self.library_context.monitor(
                self.job.pvs[pv], functools.partial(found, connected, pv), UPDATE
            )
            for pv in pvs
        ]

    def get(self, mode, pvs):
        return self.read("read", mode, pvs)

    def read(self, what, mode, pvs):
        deadline = self.job.deadline()
        values = []
        for done, some in worker.groups(mode, pvs):
            answers = self.library_context.get(
                self.names(some), VALUE, timeout=deadline.remaining_s(), throw=False
            )
            self.check(what, pvs, done, answers)
            values += answers
            self.pv_done()
        return values

    def get_default(self, pvs):
        """Without a request, all fields are asked for."""
        deadline = self.job.deadline()
        values = []
        for done, pv in enumerate(pvs, start=1):
            answer = self.library_context.get(
                self.job.pvs[pv], timeout=deadline.remaining_s(), throw=False
            )
            self.check("read", pvs, done, [answer])
            values.append(answer)
            self.pv_done()
        return values

    def put(self, mode, pvs, values):
        deadline = self.job.deadline()
        for done, some in worker.groups(mode, pvs):
            answers = self.library_context.put(
                self.names(some),
                list(values[done - len(some) : done]),
                timeout=deadline.remaining_s(),
                throw=False,
            )
            self.check("written", pvs, done, answers)
            self.pv_done()

    def monitor(self, pvs, _deadline):
        for number, pv in self.log.subscriptions(pvs):
            self.subscriptions.append(
                self.library_context.monitor(
                    self.job.pvs[pv],
                    functools.partial(self.on_update, number),
                    UPDATE,
                    notify_disconnect=True,
                )
            )

    def on_update(self, number, value):
        arrived_ns = time.time_ns()
        if isinstance(value, Exception):
            self.log.disconnected(number)
            return
        seconds, nanoseconds = value.raw_stamp
        stamp_ns = seconds * 1_000_000_000 + nanoseconds
        self.log.note(number, value, stamp_ns, arrived_ns)

    def ask(self, question):
        if self.beacon_port is None:
            self.beacon_port = held_beacon_port()
        return self.asked.ask(question)

    def disconnect(self):
        """Channels stay: the library has no call that drops one."""
        for subscription in self.subscriptions:
            subscription.close()
        self.subscriptions = []

    def close(self):
        self.disconnect()
        self.library_context.close()

    def names(self, pvs):
        return [self.job.pvs[pv] for pv in pvs]

    def check(self, what, pvs, done, answers):
        """Raises the error of a stage when some of the last `answers` are errors; `done`
        PVs were asked so far."""
        asked = pvs[done - len(answers) : done]
        errors = [one for one in zip(asked, answers) if isinstance(one[1], Exception)]
        if not errors:
            return
        pv, error = errors[0]
        if isinstance(error, pva.TimeoutError):
            missing = [pv for pv, _ in errors] + list(pvs[done:])
            raise self.job.unfinished(what, missing, len(pvs))
        raise worker.StageError(f"{self.job.pvs[pv]} not {what}: {error}")


def held_beacon_port():
    """A socket on the IPv6 port of beacons; None where the system has no IPv6."""
    port = int(os.environ["EPICS_PVA_BROADCAST_PORT"])
    try:
        held = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    except OSError:
        return None
    held.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    held.bind(("::", port))
    return held


def found(connected, pv, _value):
    connected(pv)
