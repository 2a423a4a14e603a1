"""Approach pyepics+threads: pyepics, with the PVs of a bulk connect shared by threads.

As "Using Python Threads" in its documentation recommends: one context, made by the main
thread, PV objects, and `CAThread`, whose threads use that context. Each thread makes the
objects of its share and then waits for them, as "Strategies for connecting to a large
number of PVs" has it.
"""

from epics import ca

from epics_gauge import worker
import client_pyepics
import shared_by_threads

THREADS = 8


class Client(client_pyepics.Client):
    # Without `create`: a thread makes its PVs and waits for them.
    stages = worker.stages_without("create")
    warnings = (f"connect in bulk is shared by {THREADS} threads",)

    # PVs that are not waited for.
    absent = frozenset()

    def connect(self, mode):
        if mode == "serial":
            super().connect(mode)
        else:
            shared_by_threads.connect(self, THREADS, ca.CAThread)

    def connect_without(self, absent):
        self.absent = set(absent)
        missing = shared_by_threads.unconnected(self, THREADS, ca.CAThread)
        if self.absent.issuperset(missing):
            return missing
        raise self.job.unfinished(
            "connected", sorted(set(missing) - self.absent), len(self.job.pvs) - len(absent)
        )

    def connect_some(self, share, deadline):
        for index in share:
            self.pvs[index] = client_pyepics.new_pv(self.job.pvs[index])
        for index in share:
            if index in self.absent:
                continue
            if not self.pvs[index].wait_for_connection(timeout=deadline.remaining_s()):
                return

    def is_connected(self, index):
        return self.pvs[index] is not None and super().is_connected(index)
