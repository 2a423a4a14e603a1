"""Approach psp: SLAC's `Pv` objects, a layer on pyca.

Its own `connect` and `get` block for one PV at a time. For bulk work its `Pv`
uses what it inherits from pyca, and so does this approach.
"""

import functools

import ask_psp
import client_pyca
import pyca
from psp import utils
from psp.Pv import Pv


class Client(client_pyca.Client):
    def __init__(self):
        super().__init__()
        self.asked = ask_psp.Asked()

    def context(self):
        utils.ensure_context()

    def connect(self, mode):
        if mode == "bulk":
            super().connect(mode)
            return
        deadline = self.job.deadline()
        everything = range(len(self.job.pvs))
        self.pvs = []
        for index in everything:
            self.pvs.append(self.unconnected_pv(index))
            try:
                connected = self.pvs[index].connect(timeout=deadline.remaining_s())
            except pyca.pyexc:
                connected = False
            if not connected:
                raise self.job.unfinished("connected", everything[index:], len(everything))

    def get_one(self, done, pvs, deadline):
        try:
            return self.pvs[pvs[done]].get(timeout=self.blocking(done, pvs, deadline))
        except pyca.caexc:
            self.blocking(done, pvs, deadline)
            raise

    def subscribe(self, mode, pvs):
        super().subscribe(mode, pvs)
        for pv in pvs:
            # The first update of a `Pv` takes this callback away.
            self.pvs[pv].getevt_cb = functools.partial(self.on_answer, pv)

    def monitor_channel(self, channel, number):
        channel.add_connection_callback(functools.partial(self.on_state, number))
        channel.add_monitor_callback(functools.partial(self.on_update, channel, number))
        # Otherwise it would block for the answer to a get, one PV at a time.
        channel.monitor(pyca.DBE_VALUE, wait_for_init=False)

    def clear(self, channel):
        channel.unsubscribe()
        channel.disconnect()
        channel.monitor_cb = channel.getevt_cb = channel.putevt_cb = None

    def new_pv(self, index, number=None):
        pv = self.unconnected_pv(index)
        pv.add_connection_callback(
            functools.partial(self.on_connection, index if number is None else number)
        )
        pv.connect()
        return pv

    def on_connection(self, index, is_connected):
        if is_connected:
            self.pending.arrived(index)

    def unconnected_pv(self, index):
        pv = Pv(self.job.pvs[index])
        pv.getevt_cb = pv.putevt_cb = functools.partial(self.on_answer, index)
        return pv
