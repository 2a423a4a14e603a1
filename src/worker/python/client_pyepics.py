"""Approach pyepics: PV objects, without monitors until they are subscribed to.

Bulk work follows "Strategies for connecting to a large number of PVs" in its
documentation: all PV objects are made before any is waited for, and values are
asked with `ca.get(wait=False)` and collected with `ca.get_complete`. Monitors
are switched on with `auto_monitor`, which the documentation wants to be explicit
for large arrays.
"""

import ctypes
import functools
import time

import numpy  # noqa: F401  (pyepics uses it when it is there)

import epics
from epics import ca

from epics_gauge import worker
import ask_pyepics
import loaded_libca

# pyepics loads libca on first use; loading belongs to the import stage.
LIBCA = ctypes.CDLL(ca.find_libca())


class Client(worker.Client):
    reports = ("states", "unconnected", "mixed")

    def __init__(self):
        self.asked = ask_pyepics.Asked()
        self.pvs = []
        # The objects of second and further subscriptions.
        self.more = []
        # The objects that a program has which sets nothing, by PV.
        self.ordinary = {}

    def versions(self):
        return {
            **worker.distribution_versions("pyepics", "numpy"),
            **loaded_libca.versions(LIBCA),
        }

    def context(self):
        ca.initialize_libca()

    def create(self):
        self.pvs = [new_pv(name) for name in self.job.pvs]

    def connect(self, mode):
        deadline = self.job.deadline()
        if mode == "serial":
            self.pvs = []
        for index, name in enumerate(self.job.pvs):
            if mode == "serial":
                self.pvs.append(new_pv(name))
            if not self.pvs[index].wait_for_connection(timeout=deadline.remaining_s()):
                total = len(self.job.pvs)
                missing = [index for index in range(total) if not self.is_connected(index)]
                raise self.job.unfinished("connected", missing, total)

    def connect_without(self, absent):
        deadline = self.job.deadline()
        self.create()
        self.wait_for(self.living(absent), deadline)
        return [pv for pv in absent if not self.is_connected(pv)]

    def wait_for(self, living, deadline):
        for pv in living:
            if not self.pvs[pv].wait_for_connection(timeout=deadline.remaining_s()):
                missing = [pv for pv in living if not self.is_connected(pv)]
                raise self.job.unfinished("connected", missing, len(living))

    def is_connected(self, index):
        return index < len(self.pvs) and self.pvs[index].connected

    def require_connected(self, pvs):
        """pyepics waits 2 s for each disconnected PV, whatever the timeout."""
        missing = [pv for pv in pvs if not self.is_connected(pv)]
        if missing:
            raise self.job.disconnected(missing, len(pvs))

    def get(self, mode, pvs):
        deadline = self.job.deadline()
        self.require_connected(pvs)
        if mode == "serial":
            return self.get_serial(pvs, deadline)
        chids = [self.pvs[pv].chid for pv in pvs]
        for chid in chids:
            ca.get(chid, wait=False)
        ca.poll()
        values = [ca.get_complete(chid, timeout=deadline.remaining_s()) for chid in chids]
        missing = [pv for pv, value in zip(pvs, values) if value is None]
        if missing:
            raise self.job.unfinished("read", missing, len(pvs))
        return values

    def get_serial(self, pvs, deadline):
        values = []
        for done, pv in enumerate(pvs):
            value = self.pvs[pv].get(use_monitor=False, timeout=deadline.remaining_s())
            if value is None:
                raise self.job.unfinished("read", pvs[done:], len(pvs))
            values.append(value)
            self.pv_done()
        return values

    def get_meanwhile(self, pv):
        """Without `require_connected`: how long the library waits is what is measured."""
        value = self.pvs[pv].get(use_monitor=False, timeout=self.job.timeout_s)
        if value is None:
            raise self.job.unfinished("read", [pv], 1)
        return value

    def get_default(self, pvs):
        """`PV(name).get()`: the first one makes the object, which asks for a monitor, and
        later ones return what the monitor brought."""
        deadline = self.job.deadline()
        values = []
        for done, pv in enumerate(pvs):
            if pv not in self.ordinary:
                self.ordinary[pv] = epics.PV(self.job.pvs[pv])
            value = self.ordinary[pv].get(timeout=deadline.remaining_s())
            if value is None:
                raise self.job.unfinished("read", pvs[done:], len(pvs))
            values.append(value)
            self.pv_done()
        return values

    def put(self, mode, pvs, values):
        deadline = self.job.deadline()
        self.require_connected(pvs)
        if mode == "serial":
            for done, pv in enumerate(pvs):
                timeout = deadline.remaining_s()
                if self.pvs[pv].put(values[done], wait=True, timeout=timeout) != 1:
                    raise self.job.unfinished("written", pvs[done:], len(pvs))
                self.pv_done()
            return
        for pv, value in zip(pvs, values):
            self.pvs[pv].put(value, use_complete=True)
        for pv in pvs:
            while not self.pvs[pv].put_complete:
                if not deadline.remaining_s():
                    missing = [pv for pv in pvs if not self.pvs[pv].put_complete]
                    raise self.job.unfinished("written", missing, len(pvs))
                ca.poll()

    def put_unconfirmed(self, pvs, values):
        self.require_connected(pvs)
        for pv, value in zip(pvs, values):
            self.pvs[pv].put(value)

    def put_from_callback(self, pvs, values, done):
        """A call that waits would keep libca's thread, which brings the answer: completion
        is reported by a callback too."""
        pending = worker.Pending(pvs)

        def completed(pv, **_):
            pending.arrived(pv)
            if not pending.missing:
                done()

        for pv, value in zip(pvs, values):
            self.pvs[pv].put(value, callback=functools.partial(completed, pv))

    def get_in_child(self, pvs, is_used):
        """As `CAProcess` does it, the library's own process: it clears the library's cache,
        then makes what it needs."""
        if is_used:
            for pv in self.objects():
                pv.disconnect()
            ca.clear_cache()
        return super().get_in_child(pvs, is_used=False)

    def get_in_thread(self, pvs):
        """A thread that is not the library's own must use its first context."""
        ca.use_initial_context()
        return super().get_in_thread(pvs)

    def monitor_in_thread(self, pvs, deadline):
        ca.use_initial_context()
        super().monitor_in_thread(pvs, deadline)

    def monitor(self, pvs, _deadline):
        """The first subscription to a PV is that of the object that reads and writes
        it; every further one has an object of its own, as programs of several windows
        have that show the same PV. Objects of one name share a channel."""
        for number, pv in self.log.subscriptions(pvs):
            callback = functools.partial(self.on_update, number)
            if number == pv:
                self.pvs[pv].connection_callbacks.append(functools.partial(self.on_state, pv))
                monitor(self.pvs[pv], callback)
            else:
                self.more.append(monitored_pv(self.job.pvs[pv], callback))

    def on_update(self, number, value, posixseconds, nanoseconds, **_):
        arrived_ns = time.time_ns()
        stamp_ns = int(posixseconds) * 1_000_000_000 + nanoseconds
        self.log.note(number, value, stamp_ns, arrived_ns)

    def on_state(self, index, conn, **_):
        self.log.state(index, conn)

    def disconnect(self):
        """`PV.disconnect` leaves the channel, for which it documents `ca.clear_channel`.
        Objects of one name share a channel, so all of them come first."""
        chids = {chid.value: chid for chid in map(disconnected, self.objects())}
        self.pvs, self.more, self.ordinary = [], [], {}
        for chid in chids.values():
            ca.clear_channel(chid)
        ca.flush_io()

    def objects(self):
        return [*self.pvs, *self.more, *self.ordinary.values()]

    def ask(self, question):
        return self.asked.ask(question)

    def close(self):
        """What the library itself does at exit."""
        ca.finalize_libca()


def disconnected(pv):
    """Disconnects a PV; its channel is left."""
    pv.disconnect()
    return pv.chid


def monitor(pv, callback):
    pv.form = "time"
    # Without control limits, which it would ask for one PV at a time.
    pv.add_callback(callback, with_ctrlvars=False)
    pv.auto_monitor = epics.dbr.DBE_VALUE


def monitored_pv(name, callback):
    return epics.PV(name, form="time", callback=callback, auto_monitor=epics.dbr.DBE_VALUE)


def new_pv(name):
    return epics.PV(name, form="native", auto_monitor=False)
