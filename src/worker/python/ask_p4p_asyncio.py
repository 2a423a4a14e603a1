"""What p4p's client for asyncio answers: the calls of that for threads as coroutines."""

import asyncio
import functools

from p4p.client.asyncio import Context

from epics_gauge.worker import asyncio_client, typed
from over_pvxs import taken


class Asked(asyncio_client.Asked):
    unable = staticmethod(typed.unable_over_pv_access)
    taken = staticmethod(taken)

    @functools.cached_property
    def context(self):
        return Context("pva")

    async def get(self, question):
        value = self.context.get(question.pv, request=question.request)
        return taken(await asyncio.wait_for(value, question.timeout_s))

    async def put(self, question):
        put = self.context.put(question.pv, question.value, request=question.request)
        await asyncio.wait_for(put, question.timeout_s)

    async def subscribe(self, question):
        async def on_update(value):
            self.updates.append(value)

        self.subscription = self.context.monitor(
            question.pv, on_update, request=question.request
        )
