"""Approach pyca: `capv` channels with callbacks, as its `pyca.txt` describes.

Bulk requests are queued, sent with `flush_io`, and awaited with one event.
"""

import ctypes
import functools
import sys
import time

import numpy  # noqa: F401  (pyca is linked to it)

import pyca

from epics_gauge import worker
import ask_pyca
import loaded_libca

# For `get_data`: the value with its time stamp, not with its control limits.
CONTROL = False
# For `state`: `cs_conn` of cadef.h.
CONNECTED = 2
# For `get_data` and `put_data`, as timeout: return at once and call back.
CALL_BACK = -1.0

MORE_CHANNELS = (
    "subscribe connects channels: every subscription to a PV after its first has a channel of its "
    "own, because a channel object has one subscription"
)


class Client(worker.Client):
    # Without `context`: importing pyca makes it.
    stages = worker.stages_without("context")
    reports = ("states", "unconnected", "mixed")
    warnings = (
        "get asks for DBR_TIME_DOUBLE: the library has no plain request",
        "import makes the context: the library does it when it is loaded",
    )

    def __init__(self):
        self.asked = ask_pyca.Asked()
        self.pvs = []
        # The objects of second and further subscriptions, by their numbers.
        self.more = {}
        self.pending = worker.Pending(())
        self.errors = []

    def versions(self):
        return {
            **worker.distribution_versions("pyca_epics", "numpy"),
            **loaded_libca.versions(ctypes.CDLL(pyca.__file__)),
        }

    def context(self):
        pyca.attach_context()

    def create(self):
        everything = range(len(self.job.pvs))
        self.expect(everything)
        self.pvs = [self.new_pv(index) for index in everything]
        pyca.flush_io()

    def connect(self, mode):
        deadline = self.job.deadline()
        everything = range(len(self.job.pvs))
        if mode == "bulk":
            self.wait("connected", everything, deadline)
            return
        self.pvs = []
        for index in everything:
            self.expect([index])
            self.pvs.append(self.new_pv(index))
            pyca.flush_io()
            self.wait("connected", everything, deadline, done=index)

    def connect_without(self, absent):
        deadline = self.job.deadline()
        living = self.living(absent)
        self.expect(living)
        self.pvs = [self.new_pv(index) for index in range(len(self.job.pvs))]
        pyca.flush_io()
        self.wait("connected", living, deadline)
        return [pv for pv in absent if self.pvs[pv].state() != CONNECTED]

    def get(self, mode, pvs):
        deadline = self.job.deadline()
        if mode == "serial":
            return [self.timed_get(done, pvs, deadline) for done in range(len(pvs))]
        self.expect(pvs)
        for pv in pvs:
            self.pvs[pv].get_data(CONTROL, CALL_BACK)
        pyca.flush_io()
        self.wait("read", pvs, deadline)
        return [self.pvs[pv].data["value"] for pv in pvs]

    def timed_get(self, done, pvs, deadline):
        value = self.get_one(done, pvs, deadline)
        self.pv_done()
        return value

    def get_one(self, done, pvs, deadline):
        """The blocking form: it has the fresh value when it returns."""
        channel = self.pvs[pvs[done]]
        try:
            channel.get_data(CONTROL, self.blocking(done, pvs, deadline))
        except pyca.caexc:
            self.blocking(done, pvs, deadline)
            raise
        return channel.data["value"]

    def blocking(self, done, pvs, deadline):
        """The timeout of a blocking get; never 0, which would mean for ever."""
        timeout = deadline.remaining_s()
        if not timeout:
            raise self.job.unfinished("read", pvs[done:], len(pvs)) from None
        return timeout

    def put(self, mode, pvs, values):
        deadline = self.job.deadline()
        if mode == "serial":
            for done, pv in enumerate(pvs):
                self.expect([pv])
                self.pvs[pv].put_data(values[done], CALL_BACK)
                pyca.flush_io()
                self.wait("written", pvs, deadline, done=done)
                self.pv_done()
            return
        self.expect(pvs)
        for pv, value in zip(pvs, values):
            self.pvs[pv].put_data(value, CALL_BACK)
        pyca.flush_io()
        self.wait("written", pvs, deadline)

    def put_unconfirmed(self, pvs, values):
        """With a timeout that is no request for a callback it does not wait for the server."""
        for pv, value in zip(pvs, values):
            self.pvs[pv].put_data(value, float(self.job.timeout_s))

    def put_from_callback(self, pvs, values, done):
        """Calls that wait do not end in a callback: the answer comes by one too."""
        answers = worker.Pending(pvs)

        def answered(pv, error=None):
            if error is not None:
                self.errors.append(f"{self.job.pvs[pv]}: {error}")
            answers.arrived(pv)
            if not answers.missing:
                done()

        for pv, value in zip(pvs, values):
            self.pvs[pv].putevt_cb = functools.partial(answered, pv)
            self.pvs[pv].put_data(value, CALL_BACK)
        pyca.flush_io()

    def get_in_thread(self, pvs):
        pyca.attach_context()
        return super().get_in_thread(pvs)

    def monitor_in_thread(self, pvs, deadline):
        pyca.attach_context()
        super().monitor_in_thread(pvs, deadline)

    def monitor(self, pvs, deadline):
        self.require_connected(pvs)
        self.connect_more(pvs, deadline)
        for number, pv in self.log.subscriptions(pvs):
            channel = self.pvs[pv] if number == pv else self.more[number]
            channel.use_numpy = True
            self.monitor_channel(channel, number)
        pyca.flush_io()

    def monitor_channel(self, channel, number):
        channel.monitor_cb = functools.partial(self.on_update, channel, number)
        channel.subscribe_channel(pyca.DBE_VALUE, CONTROL)

    def connect_more(self, pvs, deadline):
        """A channel object has one subscription: every further one is made with an
        object of its own."""
        wanted = [(number, pv) for number, pv in self.log.subscriptions(pvs) if number != pv]
        if not wanted:
            return
        self.stage_warnings = (MORE_CHANNELS,)
        self.expect([number for number, _ in wanted])
        for number, pv in wanted:
            self.more[number] = self.new_pv(pv, number)
        pyca.flush_io()
        missing = {number % len(self.job.pvs) for number in self.pending.wait(deadline)}
        if missing:
            raise self.job.unfinished("subscribed", missing, len(self.job.pvs))

    def on_update(self, channel, number, error=None):
        arrived_ns = time.time_ns()
        if error is not None:
            print(f"an update of {channel.name}: {error}", file=sys.stderr, flush=True)
            return
        data = channel.data
        stamp_ns = worker.unix_ns(data["secs"], data["nsec"])
        self.log.note(number, data["value"], stamp_ns, arrived_ns)

    def require_connected(self, pvs):
        """The library's own error does not say how many are not."""
        missing = [pv for pv in pvs if self.pvs[pv].state() != CONNECTED]
        if missing:
            raise self.job.disconnected(missing, len(pvs))

    def new_pv(self, index, number=None):
        """Begins to connect a PV; `number` is the subscription that the object is
        for, if it is not the one that reads and writes."""
        pv = pyca.capv(self.job.pvs[index])
        pv.connect_cb = functools.partial(
            self.on_connection, index if number is None else number
        )
        pv.getevt_cb = pv.putevt_cb = functools.partial(self.on_answer, index)
        pv.create_channel()
        return pv

    def on_connection(self, index, is_connected):
        if is_connected:
            self.pending.arrived(index)
        if self.log is not None:
            self.on_state(index, is_connected)

    def on_state(self, index, is_connected):
        """Of further subscriptions too, whose PVs have it from their first."""
        if index < len(self.job.pvs):
            self.log.state(index, is_connected)

    def ask(self, question):
        return self.asked.ask(question)

    def disconnect(self):
        for channel in [*self.pvs, *self.more.values()]:
            self.clear(channel)
        pyca.flush_io()
        self.pvs, self.more = [], {}

    def clear(self, channel):
        """Clears a channel, and what it refers to us by."""
        channel.unsubscribe_channel()
        channel.clear_channel()
        channel.monitor_cb = channel.connect_cb = channel.getevt_cb = channel.putevt_cb = None

    def close(self):
        """The library has no call that ends its context."""
        self.disconnect()

    def on_answer(self, index, error=None):
        if error is not None:
            self.errors.append(f"{self.job.pvs[index]}: {error}")
        self.pending.arrived(index)

    def expect(self, pvs):
        """To be called before a request: from now on only its answers count."""
        self.errors = []
        self.pending = worker.Pending(pvs)

    def wait(self, what, pvs, deadline, done=None):
        """Waits for the answers; `done` PVs were finished before in serial mode."""
        missing = self.pending.wait(deadline)
        if missing:
            raise self.job.unfinished(what, missing if done is None else pvs[done:], len(pvs))
        if self.errors:
            raise worker.StageError(
                f"{len(self.errors)} of {worker.counted(len(pvs), 'PV')} not {what}, "
                f"first {self.errors[0]}"
            )
