"""Approach p4p-asyncio: p4p's client for asyncio, with lists of PVs for bulk work.

Each stage has one timeout around all of its calls, as the library suggests.
"""

import asyncio
import functools
import time

from p4p.client.asyncio import Context

from epics_gauge.worker.asyncio_client import AsyncioClient
import ask_p4p_asyncio
import over_pvxs

# After a timeout, how long the PVs are asked again to find out which are silent.
SECOND_CHANCE_S = 0.5


class Client(AsyncioClient):
    stages = over_pvxs.STAGES
    reports = over_pvxs.REPORTS
    warnings = over_pvxs.WARNINGS

    def __init__(self):
        super().__init__()
        self.asked = ask_p4p_asyncio.Asked()
        self.library_context = None
        self.subscriptions = []

    def versions(self):
        return over_pvxs.versions()

    async def context(self):
        self.library_context = Context("pva")

    async def connect(self, mode):
        everything = range(len(self.job.pvs))
        await self.within_time("connected", everything, self.read(mode, everything))

    def seek(self, pvs, connected):
        self.sought = [
            self.library_context.monitor(
                self.job.pvs[pv], functools.partial(found, connected, pv), over_pvxs.UPDATE
            )
            for pv in pvs
        ]

    async def get(self, mode, pvs):
        return await self.within_time("read", pvs, self.read(mode, pvs))

    async def get_default(self, pvs):
        return await self.within_time("read", pvs, self.read_all_fields(pvs))

    async def put(self, mode, pvs, values):
        await self.within_time("written", pvs, self.write(mode, pvs, values))

    async def within_time(self, what, pvs, work):
        try:
            return await asyncio.wait_for(work, self.job.timeout_s)
        except asyncio.TimeoutError:
            silent = pvs if len(pvs) == 1 else await self.silent_pvs(pvs)
            raise self.job.unfinished(what, silent or pvs, len(pvs)) from None

    async def read(self, mode, pvs):
        names = [self.job.pvs[pv] for pv in pvs]
        if mode == "bulk":
            return await self.library_context.get(names, [over_pvxs.VALUE] * len(names))
        values = []
        for name in names:
            values.append(await self.library_context.get(name, over_pvxs.VALUE))
            self.pv_done()
        return values

    async def read_all_fields(self, pvs):
        """`await ctxt.get(name)`: without a request, all fields are asked for."""
        values = []
        for pv in pvs:
            values.append(await self.library_context.get(self.job.pvs[pv]))
            self.pv_done()
        return values

    async def write(self, mode, pvs, values):
        names = [self.job.pvs[pv] for pv in pvs]
        if mode == "bulk":
            await self.library_context.put(names, values)
        else:
            for name, value in zip(names, values):
                await self.library_context.put(name, value)
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

    async def on_update(self, number, value):
        arrived_ns = time.time_ns()
        if isinstance(value, Exception):
            self.log.disconnected(number)
            return
        self.log.note(number, value, over_pvxs.stamp_ns(value), arrived_ns)

    async def ask(self, question):
        self.is_monitoring = question.call == "monitor"
        return await self.asked.ask(question)

    async def disconnect(self):
        """The library keeps channels that nobody uses, unless it is asked to clear them."""
        for subscription in self.subscriptions:
            subscription.close()
        for subscription in self.subscriptions:
            await subscription.wait_closed()
        self.subscriptions = []
        self.library_context.disconnect()

    async def close(self):
        self.library_context.close()

    async def silent_pvs(self, pvs):
        """The PVs that do not answer now."""
        tasks = [asyncio.ensure_future(self.read("serial", [pv])) for pv in pvs]
        _, silent = await asyncio.wait(tasks, timeout=SECOND_CHANCE_S)
        for task in silent:
            task.cancel()
        return [pv for pv, task in zip(pvs, tasks) if task in silent]


async def found(connected, pv, _value):
    connected(pv)
