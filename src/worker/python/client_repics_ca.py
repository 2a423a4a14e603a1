"""Approach repics-ca: the blocking Channel Access front end, with lists of PVs for bulk
work."""

import functools
import time

import numpy  # noqa: F401  (repics uses it)

import repics
from repics import ca

from epics_gauge import worker
import ask_repics_ca


class Client(worker.Client):
    # Without `create`: `connect` does both.
    stages = worker.stages_without("create")
    reports = ("states", "unconnected", "mixed")

    def __init__(self):
        self.asked = ask_repics_ca.Asked()
        self.subscriptions = []

    def versions(self):
        return worker.distribution_versions("repics", "numpy")

    def context(self):
        repics.context()

    def create(self):
        raise worker.StageError("repics cannot create without connecting")

    def connect(self, mode):
        deadline = self.job.deadline()
        pvs = range(len(self.job.pvs))
        for done, some in worker.groups(mode, pvs):
            answers = ca.connect(self.names(some), timeout=deadline.remaining_s(), throw=False)
            self.check("connected", pvs, done, answers)

    def seek(self, pvs, connected):
        self.sought = ca.camonitor(self.names(pvs), lambda _, index: connected(pvs[index]))

    def get(self, mode, pvs):
        deadline = self.job.deadline()
        if mode == "bulk":
            answers = ca.caget(
                self.names(pvs), form="plain", timeout=deadline.remaining_s(), throw=False
            )
            self.check("read", pvs, len(pvs), answers)
            return answers
        return self.one_by_one(pvs, deadline, form="plain")

    def get_default(self, pvs):
        return self.one_by_one(pvs, self.job.deadline())

    def one_by_one(self, pvs, deadline, **form):
        values = []
        for done, pv in enumerate(pvs, start=1):
            answer = ca.caget(
                self.job.pvs[pv], timeout=deadline.remaining_s(), throw=False, **form
            )
            self.check("read", pvs, done, [answer])
            values.append(answer)
            self.pv_done()
        return values

    def put(self, mode, pvs, values):
        deadline = self.job.deadline()
        if mode == "bulk":
            answers = ca.caput(
                self.names(pvs), values, wait=True, timeout=deadline.remaining_s(), throw=False
            )
            self.check("written", pvs, len(pvs), answers)
            return
        for done, (pv, value) in enumerate(zip(pvs, values), start=1):
            answer = ca.caput(
                self.job.pvs[pv], value, wait=True, timeout=deadline.remaining_s(), throw=False
            )
            self.check("written", pvs, done, [answer])
            self.pv_done()

    def put_unconfirmed(self, pvs, values):
        for pv, value in zip(pvs, values):
            ca.caput(self.job.pvs[pv], value, timeout=self.job.timeout_s)

    def monitor(self, pvs, _deadline):
        for monitor in range(self.log.monitors):
            self.subscriptions += ca.camonitor(
                self.names(pvs),
                functools.partial(self.on_update, self.log.numbers(monitor, pvs)),
                form="time",
                mask=ca.DBE_VALUE,
                all_updates=True,
                notify_disconnect=True,
            )

    def on_update(self, numbers, value, index):
        arrived_ns = time.time_ns()
        if not value.ok:
            self.log.disconnected(numbers[index])
            return
        seconds, nanoseconds = value.raw_stamp
        stamp_ns = seconds * 1_000_000_000 + nanoseconds
        self.log.note(numbers[index], value, stamp_ns, arrived_ns)

    def ask(self, question):
        return self.asked.ask(question)

    def disconnect(self):
        """A channel is dropped with the last that holds it."""
        for subscription in self.subscriptions:
            subscription.close()
        self.subscriptions = []
        ca.purge_channel_caches()

    def close(self):
        self.disconnect()
        repics.context().close()

    def counters(self):
        dropped = sum(subscription.dropped_callbacks for subscription in self.subscriptions)
        return {"dropped_callbacks": dropped}

    def names(self, pvs):
        return [self.job.pvs[pv] for pv in pvs]

    def check(self, what, pvs, done, answers):
        """Raises the error of a stage when some of the last `answers` are errors; `done`
        PVs were asked so far."""
        asked = pvs[done - len(answers) : done]
        errors = [(pv, answer) for pv, answer in zip(asked, answers) if not answer.ok]
        if not errors:
            return
        pv, error = errors[0]
        if error.errorcode == ca.ECA_TIMEOUT:
            missing = [pv for pv, _ in errors] + list(pvs[done:])
            raise self.job.unfinished(what, missing, len(pvs))
        raise worker.StageError(f"{self.job.pvs[pv]} not {what}: {error}")
