"""A Python IOC of pythonSoftIOC: one `aIn` record for each PV, set from asyncio.

As in its documentation: `builder.aIn`, an `AsyncioDispatcher`, and a coroutine
with `record.set(value)` in a loop. Such a `set` is a request to a callback queue,
which processes the record: a full queue loses it.
"""

import time

import softioc_parts
from epics_gauge.server.asyncio_server import AsyncioServer
from epics_gauge.server import DEADLINE_S, ServerError, pv_name, value_of
from softioc import asyncio_dispatcher, builder

# Requests that are made before a tick waits for them; the queue holds 2000.
REQUESTS_AT_ONCE = 1000
# The record that shows that the queue was emptied.
FENCE = "epics-gauge:fence"
# How often it is asked whether it was.
LOOK_S = 0.001
# How often it is asked: its request may find a full queue.
ASK_AGAIN_S = 0.1


class Server(AsyncioServer):
    fences = 0

    def versions(self):
        return softioc_parts.versions()

    def serve(self, identity):
        # Input records refuse clients unless DISP says otherwise.
        self.records = {
            index: builder.aIn(pv_name(index), initial_value=value_of(index, 0), DISP=0)
            for index in self.indices
        }
        builder.aIn(identity, initial_value=1.0)
        self.fence = builder.aIn(FENCE, initial_value=0.0)
        if self.database is not None:
            softioc_parts.load(self.database, self.access_rules)
        dispatcher = asyncio_dispatcher.AsyncioDispatcher()
        self.loop = dispatcher.loop
        return softioc_parts.start(dispatcher)

    def tick(self):
        for first in range(0, len(self.indices), REQUESTS_AT_ONCE):
            self.request(self.indices[first : first + REQUESTS_AT_ONCE])
            self.empty_queue()

    async def update_all(self):
        self.request(self.indices)

    def request(self, indices):
        for index in indices:
            self.records[index].set(self.next_value(index))

    def stop_scanning(self):
        super().stop_scanning()
        self.empty_queue()

    def empty_queue(self):
        """Waits until all requests so far were served: the queue has one thread."""
        self.fences += 1
        end_s = time.monotonic() + DEADLINE_S
        while time.monotonic() < end_s:
            self.fence.set(self.fences)
            ask_again_s = time.monotonic() + ASK_AGAIN_S
            while time.monotonic() < ask_again_s:
                if softioc_parts.field(FENCE) == self.fences:
                    return
                time.sleep(LOOK_S)
        raise ServerError(f"the callback queue was not emptied within {DEADLINE_S} s")

    def value(self, index):
        return softioc_parts.field(pv_name(index))

    def shell(self, command):
        return softioc_parts.shell(command)

    def counters(self):
        return {
            **super().counters(),
            **softioc_parts.subscriptions(map(pv_name, self.indices)),
            "callback_overflows": softioc_parts.callback_overflows(),
        }
