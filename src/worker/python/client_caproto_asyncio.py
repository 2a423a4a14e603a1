"""Approach caproto+asyncio: caproto's client for asyncio, whose design is that of its
threading client. It has no `Batch`, so bulk work is gathered.
"""

import asyncio
import functools
import time

import numpy  # noqa: F401  (caproto uses it when it is there)

from caproto import CaprotoTimeoutError, SubscriptionType
from caproto.asyncio.client import Context

from epics_gauge import worker
from epics_gauge.worker.asyncio_client import AsyncioClient
import ask_caproto_asyncio
import client_caproto


class Client(AsyncioClient):
    # Without `create`: the library makes PVs within its event loop only.
    stages = worker.stages_without("create")
    reports = ("states", "unconnected", "mixed")

    def __init__(self):
        super().__init__()
        self.asked = ask_caproto_asyncio.Asked()
        self.library_context = None
        self.pvs = []
        # The library keeps weak references only.
        self.callbacks = []

    def versions(self):
        return worker.distribution_versions("caproto", "numpy")

    async def context(self):
        self.library_context = Context()

    async def create(self):
        raise worker.StageError("the approach cannot create without connecting")

    async def connect(self, mode):
        deadline = self.job.deadline()
        names = self.job.pvs
        self.pvs = []
        try:
            for _, some in worker.groups(mode, range(len(names))):
                self.pvs += await self.library_context.get_pvs(*[names[pv] for pv in some])
                for pv in some:
                    await self.pvs[pv].wait_for_connection(timeout=deadline.remaining_s())
        except CaprotoTimeoutError:
            missing = [index for index in range(len(names)) if not self.is_connected(index)]
            raise self.job.unfinished("connected", missing, len(names)) from None

    async def connect_without(self, absent):
        deadline = self.job.deadline()
        living = self.living(absent)
        self.pvs = await self.library_context.get_pvs(*self.job.pvs)
        try:
            for pv in living:
                await self.pvs[pv].wait_for_connection(timeout=deadline.remaining_s())
        except CaprotoTimeoutError:
            missing = [pv for pv in living if not self.is_connected(pv)]
            raise self.job.unfinished("connected", missing, len(living)) from None
        return [pv for pv in absent if not self.is_connected(pv)]

    def is_connected(self, index):
        return index < len(self.pvs) and self.pvs[index].connected

    async def get(self, mode, pvs):
        async def read(pv, timeout_s):
            return (await self.pvs[pv].read(timeout=timeout_s)).data[0]

        return await self.each("read", mode, pvs, [()] * len(pvs), read)

    async def put(self, mode, pvs, values):
        async def write(pv, timeout_s, value):
            response = await self.pvs[pv].write([value], wait=True, timeout=timeout_s)
            client_caproto.check_written(self.job.pvs[pv], response)

        await self.each("written", mode, pvs, [(value,) for value in values], write)

    async def each(self, what, mode, pvs, arguments, work):
        """Awaits `work` for each of `pvs`."""
        deadline = self.job.deadline()
        results = []
        for done, some in worker.groups(mode, pvs):
            more = arguments[done - len(some) : done]
            calls = [work(pv, deadline.remaining_s(), *one) for pv, one in zip(some, more)]
            answers = await asyncio.gather(*calls, return_exceptions=True)
            late = [pv for pv, one in zip(some, answers) if isinstance(one, CaprotoTimeoutError)]
            if late:
                raise self.job.unfinished(what, late + list(pvs[done:]), len(pvs))
            for answer in answers:
                if isinstance(answer, Exception):
                    raise answer
            results += answers
            self.pv_done()
        return results

    async def put_unconfirmed(self, pvs, values):
        for pv, value in zip(pvs, values):
            await self.pvs[pv].write([value], wait=False, timeout=self.job.timeout_s)

    def monitor(self, pvs, _deadline):
        for pv in pvs:
            self.callbacks.append(functools.partial(self.on_state, pv))
            self.pvs[pv].connection_state_callback.add_callback(self.callbacks[-1])
        if self.log.monitors > 1:
            self.stage_warnings = (client_caproto.SHARED,)
        for number, pv in self.log.subscriptions(pvs):
            subscription = self.pvs[pv].subscribe("time", mask=SubscriptionType.DBE_VALUE)
            self.callbacks.append(functools.partial(self.on_update, number))
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

    async def ask(self, question):
        self.is_monitoring = question.call == "monitor"
        return await self.asked.ask(question)

    async def disconnect(self):
        """As of the threading client."""
        for pv in self.pvs:
            await pv.unsubscribe_all()
        for pv in self.pvs:
            await pv.go_idle()
        self.pvs, self.callbacks = [], []

    async def close(self):
        await self.library_context.disconnect()
