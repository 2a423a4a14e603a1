"""Approach aioca: its coroutines, with lists of PVs for bulk work."""

import functools
import time

import numpy  # noqa: F401  (aioca uses it)

import aioca
from epicscorelibs.ca import cadef

from epics_gauge import worker
from epics_gauge.worker.asyncio_client import AsyncioClient
import ask_aioca
import loaded_libca

# After a timeout, how long the PVs are asked again to find out which are silent:
# the library's own error does not say.
SECOND_CHANCE_S = 0.5


class Client(AsyncioClient):
    # Without `create`: `connect` does both.
    stages = worker.stages_without("create")
    reports = ("states", "unconnected", "mixed")

    def __init__(self):
        super().__init__()
        self.asked = ask_aioca.Asked()
        self.subscriptions = []

    def versions(self):
        return {
            **worker.distribution_versions("aioca", "epicscorelibs", "numpy"),
            **loaded_libca.versions(cadef.libca),
        }

    async def context(self):
        # The first use of the library in an event loop makes its context.
        aioca.get_channel_infos()

    async def create(self):
        raise worker.StageError("aioca cannot create without connecting")

    async def connect(self, mode):
        deadline = self.job.deadline()
        names = self.job.pvs
        try:
            if mode == "bulk":
                await aioca.connect(names, timeout=deadline.remaining_s())
            else:
                for name in names:
                    await aioca.connect(name, timeout=deadline.remaining_s())
        except aioca.CANothing as error:
            await self.explain(error, "connected", range(len(names)))

    def seek(self, pvs, connected):
        names = [self.job.pvs[pv] for pv in pvs]
        self.sought = aioca.camonitor(names, lambda _, index: connected(pvs[index]))

    async def get(self, mode, pvs):
        deadline = self.job.deadline()
        names = [self.job.pvs[pv] for pv in pvs]
        try:
            if mode == "bulk":
                return await aioca.caget(names, timeout=deadline.remaining_s())
            values = []
            for name in names:
                values.append(await aioca.caget(name, timeout=deadline.remaining_s()))
                self.pv_done()
            return values
        except aioca.CANothing as error:
            await self.explain(error, "read", pvs)

    async def put(self, mode, pvs, values):
        deadline = self.job.deadline()
        names = [self.job.pvs[pv] for pv in pvs]
        try:
            if mode == "bulk":
                await aioca.caput(names, values, wait=True, timeout=deadline.remaining_s())
            else:
                for name, value in zip(names, values):
                    await aioca.caput(name, value, wait=True, timeout=deadline.remaining_s())
                    self.pv_done()
        except aioca.CANothing as error:
            await self.explain(error, "written", pvs)

    async def put_unconfirmed(self, pvs, values):
        for pv, value in zip(pvs, values):
            await aioca.caput(self.job.pvs[pv], value, timeout=self.job.timeout_s)

    def monitor(self, pvs, _deadline):
        """One call makes one subscription to each PV, and hands back its index."""
        names = [self.job.pvs[pv] for pv in pvs]
        for monitor in range(self.log.monitors):
            self.subscriptions += aioca.camonitor(
                names,
                functools.partial(self.on_update, self.log.numbers(monitor, pvs)),
                events=aioca.DBE_VALUE,
                format=aioca.FORMAT_TIME,
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

    async def disconnect(self):
        """It closes all subscriptions too."""
        aioca.purge_channel_caches()
        self.subscriptions = []

    async def ask(self, question):
        self.is_monitoring = question.call == "monitor"
        return await self.asked.ask(question)

    async def close(self):
        """The context ends at exit, when the library does that."""
        await self.disconnect()

    def counters(self):
        dropped = sum(subscription.dropped_callbacks for subscription in self.subscriptions)
        return {"dropped_callbacks": dropped}

    async def explain(self, error, what, pvs):
        """Raises the error of a stage, naming the PVs that are silent still."""
        if error.errorcode != cadef.ECA_TIMEOUT:
            raise error
        if len(pvs) == 1:
            raise self.job.unfinished(what, pvs, 1) from None
        names = [self.job.pvs[pv] for pv in pvs]
        answers = await aioca.caget(names, timeout=SECOND_CHANCE_S, throw=False)
        silent = [pv for pv, answer in zip(pvs, answers) if not answer.ok]
        raise self.job.unfinished(what, silent or pvs, len(pvs)) from None
