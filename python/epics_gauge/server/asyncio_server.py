"""Updates by rate as a task of an asyncio loop that runs on another thread."""

import asyncio

from .loop import DEADLINE_S, Pace, Server


class AsyncioServer(Server):
    """A server whose library wants to be updated from `self.loop`."""

    loop = None

    async def update_all(self):
        """Updates every PV once."""
        raise NotImplementedError

    def start_scanning(self, rate_hz):
        self.stopping = self.finish(self.new_future())
        self.task = asyncio.run_coroutine_threadsafe(self.scan(rate_hz), self.loop)

    def stop_scanning(self):
        self.loop.call_soon_threadsafe(self.stopping.set_result, None)
        self.task.result(DEADLINE_S)

    def finish(self, work):
        """Runs a coroutine in the loop to its end."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(DEADLINE_S)

    async def new_future(self):
        return self.loop.create_future()

    async def scan(self, rate_hz):
        pace = Pace(rate_hz)
        before = self.overruns
        while not self.stopping.done():
            await self.update_all()
            pause_s = pace.pause_s()
            self.overruns = before + pace.overruns
            # Even without a pause this lets other tasks of the loop run.
            await asyncio.wait({self.stopping}, timeout=pause_s)
