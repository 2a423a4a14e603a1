"""Approach caproto: its threading client, with `Batch` for bulk reads and writes."""

import contextlib
import functools
import time

import numpy  # noqa: F401  (caproto uses it when it is there)

from caproto import CaprotoTimeoutError, SubscriptionType
from caproto.threading.client import Batch, Context

from epics_gauge import worker
import ask_caproto

SHARED = (
    "the subscriptions to a PV share one of the server's: the library answers equal requests "
    "with one subscription object, to which callbacks are added"
)
# How often a subscription that is to be shared is looked at until it has begun.
LOOK_S = 0.001


class Client(worker.Client):
    reports = ("states", "unconnected", "mixed")

    def __init__(self):
        self.asked = ask_caproto.Asked()
        self.library_context = None
        self.pvs = []
        # The library keeps weak references only.
        self.callbacks = []

    def versions(self):
        return worker.distribution_versions("caproto", "numpy")

    def context(self):
        self.library_context = Context()

    def create(self):
        self.pvs = self.library_context.get_pvs(*self.job.pvs)

    def connect(self, mode):
        deadline = self.job.deadline()
        if mode == "serial":
            self.pvs = []
        try:
            for index, name in enumerate(self.job.pvs):
                if mode == "serial":
                    self.pvs += self.library_context.get_pvs(name)
                self.pvs[index].wait_for_connection(timeout=deadline.remaining_s())
        except CaprotoTimeoutError:
            total = len(self.job.pvs)
            missing = [index for index in range(total) if not self.is_connected(index)]
            raise self.job.unfinished("connected", missing, total) from None

    def connect_without(self, absent):
        deadline = self.job.deadline()
        living = self.living(absent)
        self.create()
        try:
            for pv in living:
                self.pvs[pv].wait_for_connection(timeout=deadline.remaining_s())
        except CaprotoTimeoutError:
            missing = [pv for pv in living if not self.is_connected(pv)]
            raise self.job.unfinished("connected", missing, len(living)) from None
        return [pv for pv in absent if not self.is_connected(pv)]

    def is_connected(self, index):
        return index < len(self.pvs) and self.pvs[index].connected

    def get(self, mode, pvs):
        if mode == "serial":
            return self.get_serial(pvs)
        answers = {}

        def keep(pv, response):
            answers[pv] = response.data[0]
            pending.arrived(pv)

        pending = worker.Pending(pvs)
        deadline = self.job.deadline()
        with self.batch(pvs) as batch:
            for pv in pvs:
                batch.read(self.pvs[pv], functools.partial(keep, pv))
        missing = pending.wait(deadline)
        if missing:
            raise self.job.unfinished("read", missing, len(pvs))
        return [answers[pv] for pv in pvs]

    def get_serial(self, pvs):
        deadline = self.job.deadline()
        values = []
        try:
            for pv in pvs:
                values.append(self.pvs[pv].read(timeout=deadline.remaining_s()).data[0])
                self.pv_done()
        except CaprotoTimeoutError:
            raise self.job.unfinished("read", pvs[len(values):], len(pvs)) from None
        return values

    def put(self, mode, pvs, values):
        if mode == "serial":
            self.put_serial(pvs, values)
            return
        # By their places: one PV may be written twice.
        pending, responses = worker.Pending(range(len(pvs))), {}
        deadline = self.job.deadline()

        def written(place, response):
            responses[place] = response
            pending.arrived(place)

        with self.batch(pvs) as batch:
            for place, (pv, value) in enumerate(zip(pvs, values)):
                batch.write(self.pvs[pv], [value], functools.partial(written, place))
        missing = pending.wait(deadline)
        if missing:
            raise self.job.unfinished("written", [pvs[place] for place in missing], len(pvs))
        for place, response in responses.items():
            check_written(self.job.pvs[pvs[place]], response)

    def put_serial(self, pvs, values):
        deadline = self.job.deadline()
        for done, (pv, value) in enumerate(zip(pvs, values)):
            try:
                response = self.pvs[pv].write([value], wait=True, timeout=deadline.remaining_s())
            except CaprotoTimeoutError:
                raise self.job.unfinished("written", pvs[done:], len(pvs)) from None
            check_written(self.job.pvs[pv], response)
            self.pv_done()

    def put_unconfirmed(self, pvs, values):
        for pv, value in zip(pvs, values):
            self.pvs[pv].write([value], wait=False, timeout=self.job.timeout_s)

    def monitor(self, pvs, deadline):
        for pv in pvs:
            self.callbacks.append(functools.partial(self.on_state, pv))
            self.pvs[pv].connection_state_callback.add_callback(self.callbacks[-1])
        if self.log.monitors > 1:
            self.stage_warnings = (SHARED,)
        on_update = self.on_update
        for number, pv in self.log.subscriptions(pvs):
            subscription = self.pvs[pv].subscribe("time", mask=SubscriptionType.DBE_VALUE)
            if number != pv and not has_begun(subscription, deadline):
                return
            self.callbacks.append(functools.partial(on_update, number))
            subscription.add_callback(self.callbacks[-1])

    def on_update(self, number, _subscription, response):
        arrived_ns = time.time_ns()
        stamp = response.metadata.stamp
        stamp_ns = worker.unix_ns(stamp.secondsSinceEpoch, stamp.nanoSeconds)
        data = response.data
        value = data if self.log.brings_frame(number) else data[0]
        self.log.note(number, value, stamp_ns, arrived_ns)

    def on_state(self, pv, _library_pv, state):
        self.log.state(pv, state == "connected")

    def disconnect(self):
        """Asks the library to clear the channels. Its context keeps the `PV` objects, and
        its callbacks end with ours."""
        for pv in self.pvs:
            pv.unsubscribe_all()
        for pv in self.pvs:
            pv.go_idle()
        self.pvs, self.callbacks = [], []

    def ask(self, question):
        return self.asked.ask(question)

    def close(self):
        self.library_context.disconnect()

    @contextlib.contextmanager
    def batch(self, pvs):
        """A batch whose error for a disconnected PV names that PV."""
        try:
            with Batch(timeout=self.job.timeout_s) as batch:
                yield batch
        except AttributeError:
            missing = [pv for pv in pvs if not self.is_connected(pv)]
            if missing:
                raise self.job.disconnected(missing, len(pvs)) from None
            raise


def check_written(name, response):
    """caproto returns what the server answered, an error too."""
    if not response.status.success:
        raise worker.StageError(f"{name}: {response.status.description}")


def has_begun(subscription, deadline):
    """Waits for a subscription's first update: a callback that is added later is
    called with it at once, but one that is added while it is handed out misses it."""
    while subscription.most_recent_response is None:
        if not deadline.remaining_s():
            return False
        time.sleep(LOOK_S)
    return True
