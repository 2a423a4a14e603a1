"""Approach pyepics+threads: pyepics, with the PVs of a bulk connect shared by threads.

As "Using Python Threads" in its documentation recommends: one context, made by the main
thread, PV objects, and `CAThread`, whose threads use that context. Each thread makes the
objects of its share and then waits for them, as "Strategies for connecting to a large
number of PVs" has it.
"""

from epics import ca

import client_pyepics

THREADS = 8


class Client(client_pyepics.Client):
    # Without `create`: a thread makes its PVs and waits for them.
    stages = ("context", "connect", "get", "put", "get-default", "subscribe")
    warnings = (f"connect in bulk is shared by {THREADS} threads",)

    def connect(self, mode):
        if mode == "serial":
            super().connect(mode)
            return
        deadline = self.job.deadline()
        total = len(self.job.pvs)
        self.pvs = [None] * total
        shares = [range(first, total, THREADS) for first in range(min(THREADS, total))]
        threads = [ca.CAThread(target=self.connect_some, args=(s, deadline)) for s in shares]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        missing = [index for index in range(total) if not self.is_connected(index)]
        if missing:
            raise self.job.unfinished("connected", missing, total)

    def connect_some(self, share, deadline):
        for index in share:
            self.pvs[index] = client_pyepics.new_pv(self.job.pvs[index])
        for index in share:
            if not self.pvs[index].wait_for_connection(timeout=deadline.remaining_s()):
                return

    def is_connected(self, index):
        return self.pvs[index] is not None and super().is_connected(index)
