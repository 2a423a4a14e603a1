"""What approaches with coroutines share: an event loop, in which every stage runs."""

import asyncio
import time

from . import loop, typed


ONE_THREAD = (
    "an event loop and what belongs to it are used by one thread only (Python's documentation of "
    "asyncio, Concurrency and Multithreading)"
)


class AsyncioClient(loop.Client):
    """The methods that work on the library are coroutines, except `monitor`."""

    unable = {
        "close-elsewhere": ONE_THREAD,
        "get-threads": ONE_THREAD,
        "subscribe-threads": ONE_THREAD,
    }
    # Whether updates of the stage `ask` are on their way.
    is_monitoring = False

    def __init__(self):
        self.loop = asyncio.new_event_loop()

    def timed(self, work, slow_down):
        return self.loop.run_until_complete(timed_in_loop(work, slow_down))

    async def connect_without(self, absent):
        seen = set()
        self.seek(absent, seen.add)
        with self.without(absent):
            await self.connect("bulk")
        return [pv for pv in absent if pv not in seen]

    async def subscribe(self, mode, pvs):
        deadline = self.job.deadline()
        for done, some in loop.groups(mode, pvs):
            finished = asyncio.Event()
            self.log.first_updates.expect(some, finished)
            self.monitor(some, deadline)
            try:
                if some:
                    await asyncio.wait_for(finished.wait(), deadline.remaining_s())
            except asyncio.TimeoutError:
                self.check_subscribed(pvs, done)

    async def collect(self, seconds):
        await asyncio.sleep(seconds)

    async def put_in_callback(self, pvs, values):
        """The callback begins a task that writes: it must not keep the event loop waiting."""
        written = self.loop.create_future()

        async def put():
            try:
                await self.put("serial", pvs, values)
                written.set_result(None)
            except Exception as error:
                written.set_exception(error)

        def begin():
            self.task = asyncio.ensure_future(put())

        self.log.on_next = begin
        try:
            await asyncio.wait_for(written, self.job.timeout_s)
        except asyncio.TimeoutError:
            raise self.job.unfinished("written from a callback", pvs, len(pvs)) from None

    async def get_meanwhile(self, pv):
        (value,) = await self.get("serial", [pv])
        return value

    async def collect_with_gets(self, meanwhile):
        for pause_s, pv in meanwhile:
            await self.collect(pause_s)
            if pv is None:
                return
            with self.time_limit(meanwhile.timeout_s):
                meanwhile.begin(pv)
                try:
                    meanwhile.answered(await self.get_meanwhile(pv))
                except Exception as error:
                    meanwhile.failed(error)

    async def answer(self, question):
        try:
            result = await self.ask(question)
        except Exception as error:
            failed = error
            return typed.reply(lambda: raise_again(failed))
        return typed.reply(lambda: result)

    def end(self):
        """What `asyncio.run` does when its coroutine has returned."""
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self.loop.run_until_complete(asyncio.wait(tasks))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()

    def next_line(self, lines):
        """Updates come while the event loop runs, so it runs between stages too."""
        if self.log is None and not self.is_monitoring:
            return lines.get()
        return self.loop.run_until_complete(self.loop.run_in_executor(None, lines.get))


class Asked(typed.Asked):
    """The same for a library with coroutines: `get`, `put` and `subscribe` are some."""

    async def monitor(self, question):
        self.updates = []
        await self.subscribe(question)
        end = time.monotonic() + question.timeout_s
        while not self.updates:
            if time.monotonic() > end:
                raise TimeoutError("no first update")
            await asyncio.sleep(typed.LOOK_S)

    async def collected(self, question):
        await asyncio.sleep(question.seconds)
        await self.unsubscribe()
        return [self.taken(update) for update in self.updates]

    async def unsubscribe(self):
        self.subscription.close()


def raise_again(error):
    raise error


async def timed_in_loop(work, slow_down):
    clock = loop.Clock()
    result = await work()
    slow_down(clock)
    return result, clock.until_now()
