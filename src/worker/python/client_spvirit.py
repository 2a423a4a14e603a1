"""Approach spvirit: its `Client` for pvAccess.

It has no call for many PVs at once. Its calls block without the interpreter's lock and may
come from any thread, so for bulk work they come from a pool of threads. Of EPICS_PVA_ADDR_LIST
it reads addresses only, and it knows no EPICS_PVA_BROADCAST_PORT: so it gets the port of the
search here, and an interface, as it joins a multicast group on whatever interface the system
chooses otherwise.
"""

import concurrent.futures
import contextlib
import functools
import os
import time

import numpy

import spvirit

from epics_gauge import worker
import ask_spvirit

# The connections to a server that the library keeps for later calls: a call beyond them
# opens and closes one of its own.
THREADS = 4


class Client(worker.Client):
    # Without `create`: it has no channels of its own. `connect` reads once. Without
    # `put-unconfirmed`: it waits for the server's answer to every put. It reports no states.
    stages = worker.stages_without("create", "put-unconfirmed")
    warnings = (
        "connect contains a first get: the library has no call that only connects",
        f"bulk work is shared by {THREADS} threads: the library has no call for many PVs",
        "every monitor has a TCP connection of its own: the library opens one for each",
    )

    def __init__(self):
        self.asked = ask_spvirit.Asked(searching)
        self.library_client = None
        # For gets with a timeout of their own, by that: a client has one.
        self.clients = {}
        self.threads = None
        self.subscriptions = []

    def versions(self):
        return worker.distribution_versions("spvirit", "numpy")

    def context(self):
        self.library_client = searching().timeout(self.job.timeout_s).build()
        self.threads = concurrent.futures.ThreadPoolExecutor(THREADS)

    def connect(self, mode):
        self.read("connected", mode, range(len(self.job.pvs)))

    def get(self, mode, pvs):
        return self.read("read", mode, pvs)

    def get_default(self, pvs):
        return self.each("read", "serial", pvs, [()] * len(pvs), self.read_all_fields)

    def read(self, what, mode, pvs):
        return self.each(what, mode, pvs, [()] * len(pvs), self.read_one)

    @contextlib.contextmanager
    def time_limit(self, timeout_s):
        if timeout_s not in self.clients:
            self.clients[timeout_s] = searching().timeout(timeout_s).build()
        ordinary, self.library_client = self.library_client, self.clients[timeout_s]
        try:
            with super().time_limit(timeout_s):
                yield
        finally:
            self.library_client = ordinary

    def put(self, mode, pvs, values):
        self.each("written", mode, pvs, [(value,) for value in values], self.library_client.put)

    def read_one(self, name):
        return self.library_client.get(name, fields="value").value["value"]

    def read_all_fields(self, name):
        return self.library_client.get(name).value["value"]

    def each(self, what, mode, pvs, arguments, work):
        """Calls `work` for each of `pvs`."""
        names = [self.job.pvs[pv] for pv in pvs]
        deadline = self.job.deadline()
        if mode == "bulk":
            calls = zip(names, arguments)
            futures = [self.threads.submit(work, name, *more) for name, more in calls]
            done, _ = concurrent.futures.wait(futures, deadline.remaining_s())
            missing = [pv for pv, one in zip(pvs, futures) if one not in done]
            if missing:
                for one in futures:
                    one.cancel()
                raise self.job.unfinished(what, missing, len(pvs))
            self.check(what, pvs, [one.exception() for one in futures])
            return [one.result() for one in futures]
        results = []
        for pv, name, more in zip(pvs, names, arguments):
            try:
                results.append(work(name, *more))
            except spvirit.SpviritError as error:
                self.check(what, pvs[len(results):], [error])
            self.pv_done()
        return results

    def check(self, what, pvs, errors):
        """Raises the error of a stage when one of the PVs has one."""
        failed = [(pv, error) for pv, error in zip(pvs, errors) if error is not None]
        if not failed:
            return
        pv, error = failed[0]
        if isinstance(error, (spvirit.TimeoutError, spvirit.SearchError)):
            raise self.job.unfinished(what, [pv for pv, _ in failed], len(pvs))
        raise worker.StageError(f"{self.job.pvs[pv]} not {what}: {error}")

    def monitor(self, pvs, _deadline):
        for number, pv in self.log.subscriptions(pvs):
            self.subscriptions.append(
                self.library_client.subscribe(
                    self.job.pvs[pv],
                    functools.partial(self.on_update, number),
                    fields=["value", "timeStamp"],
                )
            )

    def ask(self, question):
        return self.asked.ask(question)

    def disconnect(self):
        """It has no channels of its own that could be dropped."""
        for subscription in self.subscriptions:
            subscription.close()
        self.subscriptions = []

    def close(self):
        """The library has no call that ends a client."""
        self.disconnect()
        self.threads.shutdown()
        self.library_client, self.clients = None, {}

    def on_update(self, number, update):
        arrived_ns = time.time_ns()
        value, stamp = update.value["value"], update.value["timeStamp"]
        if self.log.brings_frame(number):
            value = numpy.array(value, dtype=numpy.int16)
        stamp_ns = stamp["secondsPastEpoch"] * 1_000_000_000 + stamp["nanoseconds"]
        self.log.note(number, value, stamp_ns, arrived_ns)


def searching():
    """A builder of clients that search as the environment says."""
    builder = spvirit.Client.builder()
    if "EPICS_PVA_NAME_SERVERS" in os.environ:
        return builder.no_broadcast(True)
    addresses = os.environ["EPICS_PVA_ADDR_LIST"].split()
    if len(addresses) != 1:
        raise worker.StageError(
            f"spvirit searches on one UDP port, and {len(addresses)} were given; "
            "it finds PVs of several IOCs by name server only"
        )
    address, port = addresses[0].split(":")
    return builder.udp_port(int(port)).bind_addr(address)
