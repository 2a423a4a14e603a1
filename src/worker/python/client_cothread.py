"""Approach cothread: `catools`, with lists of PVs for bulk work.

Its calls wait by letting other cothreads run, all on the main thread; libca calls back
on threads of its own. So whatever waits here waits as a cothread.
"""

import functools
import threading
import time

import numpy  # noqa: F401  (cothread uses it)

import cothread
from cothread import cadef, catools

from epics_gauge import worker
import ask_cothread
import loaded_libca


ONE_THREAD = (
    "cothreads run on the thread that imported the library; others hand work to it by "
    "cothread.CallbackResult (cothread 2.20.1, cothread/cothread.py)"
)


class Client(worker.Client):
    unable = {
        "close-elsewhere": ONE_THREAD,
        "get-threads": ONE_THREAD,
        "subscribe-threads": ONE_THREAD,
    }
    # Without `context`: importing catools makes it. Without `create`: `connect` does both.
    stages = worker.stages_without("context", "create")
    reports = ("states", "unconnected", "mixed")
    warnings = ("import makes the context: the library does it when it is loaded",)

    def __init__(self):
        self.subscriptions = []
        self.asked = ask_cothread.Asked()

    def versions(self):
        return {
            **worker.distribution_versions("cothread", "epicscorelibs", "numpy"),
            **loaded_libca.versions(cadef.libca),
        }

    def ask(self, question):
        return self.asked.ask(question)

    def context(self):
        """Made already."""

    def create(self):
        raise worker.StageError("cothread cannot create without connecting")

    def connect(self, mode):
        deadline = self.job.deadline()
        pvs = range(len(self.job.pvs))
        for done, names in self.groups(mode, pvs):
            answers = catools.connect(names, timeout=deadline.remaining_s(), throw=False)
            self.check("connected", pvs, done, answers)

    def seek(self, pvs, connected):
        names = [self.job.pvs[pv] for pv in pvs]
        self.sought = catools.camonitor(names, lambda _, index: connected(pvs[index]))

    def get(self, mode, pvs):
        deadline = self.job.deadline()
        values = []
        for done, names in self.groups(mode, pvs):
            answers = catools.caget(names, timeout=deadline.remaining_s(), throw=False)
            values += self.check("read", pvs, done, answers)
            self.pv_done()
        return values

    def put(self, mode, pvs, values):
        deadline = self.job.deadline()
        for done, names in self.groups(mode, pvs):
            some = values if mode == "bulk" else values[done - 1]
            answers = catools.caput(
                names, some, wait=True, timeout=deadline.remaining_s(), throw=False
            )
            self.check("written", pvs, done, answers)
            self.pv_done()

    def put_unconfirmed(self, pvs, values):
        for pv, value in zip(pvs, values):
            catools.caput(self.job.pvs[pv], value, timeout=self.job.timeout_s)
        # cothread sends when its scheduler runs, as it does in any program of it.
        cothread.Yield()

    def groups(self, mode, pvs):
        """The names for each call: all of them as a list, or one by one."""
        for done, some in worker.groups(mode, pvs):
            names = [self.job.pvs[pv] for pv in some]
            yield done, names if mode == "bulk" else names[0]

    def check(self, what, pvs, done, answers):
        """The answers as a list, `done` PVs finished with them; raises the error of a
        stage when some are errors."""
        answers = answers if isinstance(answers, list) else [answers]
        asked = pvs[done - len(answers) : done]
        errors = [(pv, answer) for pv, answer in zip(asked, answers) if not answer.ok]
        if not errors:
            return answers
        pv, error = errors[0]
        if error.errorcode == cadef.ECA_TIMEOUT:
            missing = [pv for pv, _ in errors] + list(pvs[done:])
            raise self.job.unfinished(what, missing, len(pvs))
        raise worker.StageError(f"{self.job.pvs[pv]} not {what}: {error}")

    def event(self):
        return Finished()

    def subscribe(self, mode, pvs):
        deadline = self.job.deadline()
        for done, some in worker.groups(mode, pvs):
            finished = Finished()
            self.log.first_updates.expect(some, finished)
            self.monitor(some, deadline)
            if some and not finished.wait(deadline.remaining_s()):
                self.check_subscribed(pvs, done)

    def monitor(self, pvs, _deadline):
        names = [self.job.pvs[pv] for pv in pvs]
        for monitor in range(self.log.monitors):
            self.subscriptions += catools.camonitor(
                names,
                functools.partial(self.on_update, self.log.numbers(monitor, pvs)),
                events=catools.DBE_VALUE,
                format=catools.FORMAT_TIME,
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

    def disconnect(self):
        """Channels stay: the library has no call that drops one."""
        for subscription in self.subscriptions:
            subscription.close()
        self.subscriptions = []

    def close(self):
        """Channels and context end at exit, when the library does that."""
        self.disconnect()

    def collect(self, seconds):
        cothread.Sleep(seconds)

    def next_line(self, lines):
        """Updates are handed out while cothreads run, so they run between stages too."""
        if self.log is None:
            return lines.get()
        line = cothread.Event()
        threading.Thread(
            target=lambda: cothread.Callback(line.Signal, lines.get()), daemon=True
        ).start()
        return line.Wait()


class Finished:
    """The part of `threading.Event` that is needed, for cothreads."""

    def __init__(self):
        self.event = cothread.Event()

    def set(self):
        self.event.Signal()

    def wait(self, timeout_s):
        try:
            self.event.Wait(timeout_s)
        except cothread.Timedout:
            return False
        return True
