"""Approach p4p: its client for threads, with lists of PVs for bulk work."""

import functools
import time

from p4p.client.thread import Context, TimeoutError

from epics_gauge import worker
import ask_p4p
import over_pvxs

# After a timeout, how long the PVs are asked again to find out which are silent:
# of a put the library's own answer does not say.
SECOND_CHANCE_S = 0.5


class Client(worker.Client):
    stages = over_pvxs.STAGES
    reports = over_pvxs.REPORTS
    warnings = over_pvxs.WARNINGS

    def __init__(self):
        self.asked = ask_p4p.Asked()
        self.library_context = None
        self.subscriptions = []

    def versions(self):
        return over_pvxs.versions()

    def context(self):
        self.library_context = Context("pva")

    def connect(self, mode):
        self.read("connected", mode, range(len(self.job.pvs)))

    def seek(self, pvs, connected):
        self.sought = [
            self.library_context.monitor(
                self.job.pvs[pv], functools.partial(found, connected, pv), over_pvxs.UPDATE
            )
            for pv in pvs
        ]

    def get(self, mode, pvs):
        return self.read("read", mode, pvs)

    def get_default(self, pvs):
        return self.read("read", "serial", pvs, self.ordinary)

    def ordinary(self, pvs, timeout_s):
        """`ctxt.get(name)`: without a request, all fields are asked for."""
        names = [self.job.pvs[pv] for pv in pvs]
        return [self.library_context.get(name, timeout=timeout_s, throw=False) for name in names]

    def read(self, what, mode, pvs, read_some=None):
        deadline = self.job.deadline()
        values = []
        for _, some in worker.groups(mode, pvs):
            answers = (read_some or self.answers)(some, deadline.remaining_s())
            silent = silent_pvs(some, answers)
            if silent:
                missing = silent + list(pvs[len(values) + len(some) :])
                raise self.job.unfinished(what, missing, len(pvs))
            values += answers
            self.pv_done()
        self.check(what, pvs, values)
        return values

    def answers(self, pvs, timeout_s):
        """The values of `pvs`, with an exception where there is none."""
        names = [self.job.pvs[pv] for pv in pvs]
        requests = [over_pvxs.VALUE] * len(names)
        return self.library_context.get(names, requests, timeout=timeout_s, throw=False)

    def put(self, mode, pvs, values):
        deadline = self.job.deadline()
        for done, some in worker.groups(mode, pvs):
            names = [self.job.pvs[pv] for pv in some]
            new = values[done - len(some) : done]
            answers = self.library_context.put(
                names, new, timeout=deadline.remaining_s(), throw=False
            )
            if silent_pvs(some, answers):
                missing = silent_pvs(some, self.answers(some, SECOND_CHANCE_S)) or some
                raise self.job.unfinished("written", missing + list(pvs[done:]), len(pvs))
            self.check("written", some, answers)
            self.pv_done()

    def monitor(self, pvs, _deadline):
        on_update = self.on_update
        for number, pv in self.log.subscriptions(pvs):
            self.subscriptions.append(
                self.library_context.monitor(
                    self.job.pvs[pv],
                    functools.partial(on_update, number),
                    over_pvxs.UPDATE,
                    notify_disconnect=True,
                )
            )

    def on_update(self, number, value):
        arrived_ns = time.time_ns()
        if isinstance(value, Exception):
            self.log.disconnected(number)
            return
        self.log.note(number, value, over_pvxs.stamp_ns(value), arrived_ns)

    def disconnect(self):
        """The library keeps channels that nobody uses, unless it is asked to clear them."""
        for subscription in self.subscriptions:
            subscription.close()
        self.subscriptions = []
        self.library_context.disconnect()

    def ask(self, question):
        return self.asked.ask(question)

    def close(self):
        self.library_context.close()

    def check(self, what, pvs, answers):
        """Raises the error of a stage whose answers contain errors."""
        errors = [
            f"{self.job.pvs[pv]}: {answer}"
            for pv, answer in zip(pvs, answers)
            if isinstance(answer, Exception)
        ]
        if errors:
            raise worker.StageError(
                f"{len(errors)} of {worker.counted(len(pvs), 'PV')} not {what}, "
                f"first {errors[0]}"
            )


def silent_pvs(pvs, answers):
    """The PVs without an answer when the time was over."""
    return [pv for pv, answer in zip(pvs, answers) if isinstance(answer, TimeoutError)]


def found(connected, pv, _value):
    connected(pv)
