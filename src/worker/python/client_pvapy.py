"""Approach pvapy: `Channel` objects of the module `pvaccess`.

Of its calls only `monitor` begins a connection without waiting for it, so PVs connect at
once by a monitor of each, which is stopped when its first update is there. Gets and puts
block without the interpreter's lock, so for bulk work they come from a pool of threads.
`MultiChannel` reads or writes all of its PVs, by channels of its own that nothing else can
use; `asyncGet` starts a thread for each PV, and some processes with a thousand of them abort.

Left to itself the library joins the multicast group of searches. It does without when it
cannot bind the group's port: so that port is held here.
"""

import concurrent.futures
import contextlib
import functools
import os
import socket
import time

import numpy  # noqa: F401  (pvaccess uses it)

import pvaccess

from epics_gauge import worker
import ask_pvapy

VALUE = "field(value)"
UPDATE = "field(value,timeStamp)"
MULTICAST_GROUP = "224.0.0.128"
# A get of 1000 PVs took 0.10 to 0.20 s with 16, 0.16 to 0.32 s with 4.
THREADS = 16


class Client(worker.Client):
    # Without `context`: the first connection makes it. Without `put-unconfirmed`: the call
    # that does not wait, `asyncPut`, starts a thread for each.
    # It reports no states: `setConnectionCallback` blocks for 0.1 s at each PV.
    stages = worker.stages_without("context", "put-unconfirmed")
    reports = ("unconnected", "mixed")
    warnings = (
        "connect contains the library's context",
        "connect contains a first update in bulk mode, a first get one by one: the library has "
        "no call that only connects",
        f"bulk work is shared by {THREADS} threads: the library's call for many PVs has "
        "channels of its own and treats all of them or none",
    )

    def __init__(self):
        self.asked = ask_pvapy.Asked()
        self.group_port = held_group_port()
        self.threads = concurrent.futures.ThreadPoolExecutor(THREADS)
        self.channels = []
        # Of second and further subscriptions: a channel has one.
        self.more_channels = []
        # The library counts references to callbacks without the interpreter's lock: one
        # more keeps a wrong count from freeing them.
        self.callbacks = []

    def versions(self):
        return worker.distribution_versions("pvapy", "numpy")

    def context(self):
        """The first connection makes it."""

    def create(self):
        self.channels = [self.channel(name) for name in self.job.pvs]

    def channel(self, name):
        channel = pvaccess.Channel(name)
        channel.setTimeout(self.job.timeout_s)
        return channel

    def connect(self, mode):
        if mode == "bulk":
            self.connect_at_once()
            return
        pvs = range(len(self.job.pvs))
        self.one_by_one("connected", pvs, [()] * len(pvs), self.connect_one)

    def connect_one(self, pv):
        self.channels.append(self.channel(self.job.pvs[pv]))
        self.read_one(pv)

    def connect_at_once(self):
        deadline = self.job.deadline()
        pvs = range(len(self.channels))
        pending = worker.Pending(pvs)
        for pv in pvs:
            first_update = functools.partial(arrived, pending, pv)
            self.call_back(self.channels[pv], first_update, VALUE)
        missing = pending.wait(deadline)
        # A put beside a monitor may wait forever: see the manifest.
        for channel in self.channels:
            channel.stopMonitor()
        if missing:
            raise self.job.unfinished("connected", missing, len(pvs))

    def connect_without(self, absent):
        deadline = self.job.deadline()
        self.create()
        living, seen = self.living(absent), worker.Pending(absent)
        pending, dead = worker.Pending(living), set(absent)
        for pv in range(len(self.channels)):
            of_pv = seen if pv in dead else pending
            self.call_back(self.channels[pv], functools.partial(arrived, of_pv, pv), VALUE)
        missing = pending.wait(deadline)
        for pv in living:
            self.channels[pv].stopMonitor()
        if missing:
            raise self.job.unfinished("connected", missing, len(living))
        return sorted(seen.missing)

    def get(self, mode, pvs):
        return self.each("read", mode, pvs, [()] * len(pvs), self.read_one)

    def get_default(self, pvs):
        return self.one_by_one("read", pvs, [()] * len(pvs), self.read_by_default)

    def put(self, mode, pvs, values):
        self.each("written", mode, pvs, [(value,) for value in values], self.write_one)

    def read_one(self, pv):
        return self.channels[pv].get(VALUE)["value"]

    def read_by_default(self, pv):
        return self.channels[pv].get()["value"]

    def write_one(self, pv, value):
        self.channels[pv].putDouble(value, VALUE)

    def each(self, what, mode, pvs, arguments, work):
        """Calls `work` for each of `pvs`."""
        if mode == "serial":
            return self.one_by_one(what, pvs, arguments, work)
        deadline = self.job.deadline()
        futures = [self.threads.submit(work, pv, *more) for pv, more in zip(pvs, arguments)]
        done, _ = concurrent.futures.wait(futures, deadline.remaining_s())
        missing = [pv for pv, one in zip(pvs, futures) if one not in done]
        if missing:
            for one in futures:
                one.cancel()
            raise self.job.unfinished(what, missing, len(pvs))
        failed = [(pv, one.exception()) for pv, one in zip(pvs, futures) if one.exception()]
        if failed:
            raise self.error(what, [pv for pv, _ in failed], len(pvs), failed[0][1])
        return [one.result() for one in futures]

    def one_by_one(self, what, pvs, arguments, work):
        deadline = self.job.deadline()
        results = []
        for pv, more in zip(pvs, arguments):
            if not deadline.remaining_s():
                raise self.job.unfinished(what, pvs[len(results) :], len(pvs))
            try:
                results.append(work(pv, *more))
            except pvaccess.PvaException as error:
                raise self.error(what, pvs[len(results) :], len(pvs), error) from None
            self.pv_done()
        return results

    def error(self, what, missing, total, error):
        """The error of a stage; `missing` are the PVs that it did not treat, the first of
        which had `error`."""
        if "timed out" in str(error):
            return self.job.unfinished(what, missing, total)
        return worker.StageError(f"{self.job.pvs[missing[0]]} not {what}: {error}")

    @contextlib.contextmanager
    def time_limit(self, timeout_s):
        """The library has a timeout for each channel."""
        for channel in self.channels:
            channel.setTimeout(timeout_s)
        with super().time_limit(timeout_s):
            yield
        for channel in self.channels:
            channel.setTimeout(self.job.timeout_s)

    def monitor(self, pvs, _deadline):
        for number, pv in self.log.subscriptions(pvs):
            channel = self.channels[pv]
            if number != pv:
                channel = self.channel(self.job.pvs[pv])
                self.more_channels.append(channel)
            self.call_back(channel, functools.partial(self.on_update, number), UPDATE)

    def call_back(self, channel, callback, request):
        self.callbacks.append(callback)
        channel.monitor(callback, request)

    def on_update(self, number, update):
        arrived_ns = time.time_ns()
        value, stamp = update["value"], update["timeStamp"]
        stamp_ns = stamp["secondsPastEpoch"] * 1_000_000_000 + stamp["nanoseconds"]
        self.log.note(number, value, stamp_ns, arrived_ns)

    def ask(self, question):
        return self.asked.ask(question)

    def disconnect(self):
        """A channel ends with its object."""
        for channel in self.channels + self.more_channels:
            channel.stopMonitor()
        self.channels, self.more_channels, self.callbacks = [], [], []

    def close(self):
        """The library has no call that ends its context."""
        self.disconnect()
        self.threads.shutdown()

    def counters(self):
        channels = self.channels + self.more_channels
        counted = [channel.getMonitorCounters().get("nOverruns", 0) for channel in channels]
        return {"nOverruns": sum(counted)}


def arrived(pending, pv, _update):
    pending.arrived(pv)


def held_group_port():
    """A socket on the port of the multicast group of searches."""
    held = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    held.bind((MULTICAST_GROUP, int(os.environ["EPICS_PVA_BROADCAST_PORT"])))
    return held
