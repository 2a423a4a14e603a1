"""Approach psp+threads: psp, with the PVs of a bulk connect shared by threads.

As its `utils.ensure_context` is documented: each thread calls it first. `Pv.connect` with a
timeout blocks for one PV at a time, so that as many PVs are sought at once as there are
threads.
"""

import threading

from psp import utils

from epics_gauge import worker
import client_psp
import pyca
import shared_by_threads

# Each seeks one PV at a time, which takes libca's search timer.
THREADS = 64


class Client(client_psp.Client):
    # Without `create`: a thread makes a PV and waits for it.
    stages = worker.stages_without("context", "create")
    # Without "unconnected": a thread that waits for a PV which does not exist seeks no other.
    reports = ("states", "mixed")
    warnings = (
        *client_psp.Client.warnings,
        f"connect in bulk is shared by {THREADS} threads, each of which connects one PV at a time",
    )

    def connect(self, mode):
        if mode == "serial":
            super().connect(mode)
        else:
            shared_by_threads.connect(self, THREADS, threading.Thread)

    def connect_some(self, share, deadline):
        utils.ensure_context()
        for index in share:
            pv = self.unconnected_pv(index)
            try:
                pv.connect(timeout=deadline.remaining_s())
            except pyca.pyexc:
                return
            self.pvs[index] = pv

    def is_connected(self, index):
        return self.pvs[index] is not None and self.pvs[index].isconnected
