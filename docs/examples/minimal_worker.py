"""A complete worker of epics-gauge, with caproto."""

import functools
import time

# Before the library that is measured: its import is timed from here.
from epics_gauge.worker import Client, groups, serve, unix_ns

from caproto import SubscriptionType
from caproto.threading.client import Context


class Minimal(Client):
    packages = ("caproto",)

    def context(self):
        self.library, self.pvs, self.callbacks = Context(), [], []

    def connect(self, mode):
        deadline = self.job.deadline()
        for _, some in groups(mode, range(len(self.job.pvs))):
            new = self.library.get_pvs(*[self.job.pvs[pv] for pv in some])
            for pv in new:
                pv.wait_for_connection(timeout=deadline.remaining_s())
            self.pvs += new

    def get(self, mode, pvs):
        values, deadline = [], self.job.deadline()
        for pv in pvs:
            values.append(self.pvs[pv].read(timeout=deadline.remaining_s()).data[0])
            self.pv_done()
        return values

    def put(self, mode, pvs, values):
        deadline = self.job.deadline()
        for pv, value in zip(pvs, values):
            self.pvs[pv].write([value], wait=True, timeout=deadline.remaining_s())
            self.pv_done()

    def monitor(self, pvs, deadline):
        for number, pv in self.log.subscriptions(pvs):
            self.callbacks.append(functools.partial(self.on_update, number))  # Held weakly.
            # Equal requests would share one subscription; servers ignore `to`.
            mask, to = SubscriptionType.DBE_VALUE, float(number)
            subscription = self.pvs[pv].subscribe("time", mask=mask, to=to)
            subscription.add_callback(self.callbacks[-1])

    def disconnect(self):
        for pv in self.pvs:
            pv.unsubscribe_all()
        for pv in self.pvs:
            pv.go_idle()
        self.pvs, self.callbacks = [], []

    def close(self):
        self.library.disconnect()

    def on_update(self, number, _subscription, response):
        arrived_ns = time.time_ns()
        stamp, data = response.metadata.stamp, response.data
        stamp_ns = unix_ns(stamp.secondsSinceEpoch, stamp.nanoSeconds)
        value = data if self.log.brings_frame(number) else data[0]
        self.log.note(number, value, stamp_ns, arrived_ns)


serve(Minimal)
