"""The real worker of pyepics that lies in one way about a fault.

    lying_worker.py LIE MAIN --site FOLDER pyepics

MAIN is the `main.py` of the Python workers. LIE is a class below: `cached-value` is
CachedValue.
"""

import os
import socket
import struct
import sys
import threading
import time

LIE, MAIN, *ARGUMENTS = sys.argv[1:]
SITE = ARGUMENTS[ARGUMENTS.index("--site") + 1]
HERE = os.path.dirname(os.path.abspath(MAIN))
PACKAGES = [os.path.join(HERE, folder) for folder in ("python", "../../../python")]
sys.path[:0] = [os.path.abspath(SITE), HERE, *PACKAGES]

# Before the library, whose import is timed from here.
from epics_gauge import worker  # noqa: E402
from epics_gauge.worker import serve  # noqa: E402


def lies():
    import client_pyepics

    class Honest(client_pyepics.Client):
        """The client as it is, without what is known to be wrong with its library."""

        def put(self, mode, pvs, values):
            is_again = len(set(pvs)) < len(pvs)
            super().put("serial" if is_again else mode, pvs, values)

        def put_from_callback(self, pvs, values, done):
            super().put_from_callback(pvs, values, done)
            client_pyepics.ca.flush_io()

    class CachedValue(client_pyepics.Client):
        """Returns what the monitor brought last."""

        def on_update(self, number, value, **more):
            self.cached = getattr(self, "cached", {})
            self.cached[number] = value
            super().on_update(number, value, **more)

        def get_meanwhile(self, pv):
            return self.cached[pv]

    class SaysConnected(client_pyepics.Client):
        """Reports the first PV as connected every half second, whatever it is."""

        def context(self):
            super().context()
            threading.Thread(target=self.boast, daemon=True).start()

        def boast(self):
            while True:
                time.sleep(0.5)
                if self.log is not None:
                    self.log.state(0, True)

    class OneStaysAway(client_pyepics.Client):
        """Brings no update of the last PV any more once it was disconnected."""

        def on_state(self, index, /, conn, **more):
            self.is_away = getattr(self, "is_away", False) or not conn
            super().on_state(index, conn=conn, **more)

        def on_update(self, number, value, **more):
            if getattr(self, "is_away", False) and number == len(self.job.pvs) - 1:
                return
            super().on_update(number, value, **more)

    class LeaksDescriptor(client_pyepics.Client):
        """Opens a file in each round."""

        leaked = []

        def disconnect(self):
            super().disconnect()
            self.leaked.append(open(os.devnull))

    class ConfirmsEarly(client_pyepics.Client):
        """Takes a put for done when it is sent."""

        def put(self, mode, pvs, values):
            self.put_unconfirmed(pvs, values)

    class SaysDeadConnected(client_pyepics.Client):
        """Reports one PV as connected that does not exist."""

        def connect_without(self, absent):
            return super().connect_without(absent)[1:]

    class FloodsSearches(client_pyepics.Client):
        """Searches each PV that does not exist many times a second."""

        def connect_without(self, absent):
            names = [self.job.pvs[pv] for pv in absent]
            unconnected = super().connect_without(absent)
            threading.Thread(target=flood, args=(names,), daemon=True).start()
            return unconnected

    class OpensCircuit(client_pyepics.Client):
        """Opens a second circuit some time after it has subscribed, and keeps it."""

        def subscribe(self, mode, pvs):
            super().subscribe(mode, pvs)
            threading.Timer(10, self.open_circuit).start()

        def open_circuit(self):
            host = os.environ["EPICS_CA_ADDR_LIST"].split()[0].split(":")[0]
            port = int(os.environ["EPICS_CA_SERVER_PORT"])
            self.second = socket.create_connection((host, port))

    class StaysOutside(client_pyepics.Client):
        """One process of ten does not connect, where there are many."""

        def connect(self, mode):
            super().connect(mode)
            if len(processes("stays-outside")) > 20 and os.getpid() % 10 == 0:
                raise worker.StageError("it stays outside")

    class LosesLast(client_pyepics.Client):
        """Brings each update when the next one is there."""

        def on_update(self, number, value, **more):
            self.waiting = getattr(self, "waiting", {})
            is_first = number not in self.waiting
            before, self.waiting[number] = self.waiting.get(number), (value, more)
            if is_first:
                super().on_update(number, value, **more)
                self.waiting[number] = None
            elif before is not None:
                super().on_update(number, before[0], **before[1])

    class LosesSlow(client_pyepics.Client):
        """Drops the second update of the first slow PV beside a camera."""

        def on_update(self, number, value, **more):
            self.seen = getattr(self, "seen", 0) + (number == 1)
            if number != 1 or self.seen != 2:
                super().on_update(number, value, **more)

    class ConfirmsFirst(client_pyepics.Client):
        """Takes the second put to a busy record for done with the first, and does not send
        it."""

        def put(self, mode, pvs, values):
            super().put("serial", pvs[:1], values[:1])

    class WaitsInCallback(client_pyepics.Client):
        """Waits in a callback for what never comes."""

        def put_from_callback(self, pvs, values, done):
            pass

    class ForksStale(client_pyepics.Client):
        """Its child answers with values of its own."""

        def get_in_child(self, pvs, is_used):
            return [value + 1 for value in super().get_in_child(pvs, is_used)]

    class HangsForked(client_pyepics.Client):
        """Its child waits for ever."""

        def get_in_child(self, pvs, is_used):
            threading.Event().wait()

    class CrashesForked(client_pyepics.Client):
        """Its child is ended by a signal."""

        def get_in_child(self, pvs, is_used):
            os.abort()

    class SwapsThreads(client_pyepics.Client):
        """A thread answers with the values of the PVs in reverse order."""

        def get_in_thread(self, pvs):
            return super().get_in_thread(pvs)[::-1]

    class HangsElsewhere(client_pyepics.Client):
        """Never ends when it is closed by another thread."""

        def close(self):
            if threading.current_thread() is not threading.main_thread():
                threading.Event().wait()
            super().close()

    return locals()["".join(word.capitalize() for word in LIE.split("-"))]


def processes(word):
    """The processes that have this word in their command line."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as line:
                found += [pid] if word.encode() in line.read() else []
        except OSError:
            pass
    return found


def flood(names):
    """CA_PROTO_SEARCH, ten times a second for each name, to all addresses; from the second of
    the windows on in which searches are counted."""
    usual = os.environ.get("EPICS_CA_SERVER_PORT", "5064")
    listed = [address.partition(":") for address in os.environ["EPICS_CA_ADDR_LIST"].split()]
    addresses = [(host, int(port or usual)) for host, _, port in listed]
    datagrams = [b"".join(map(search, names[at:at + 20])) for at in range(0, len(names), 20)]
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    time.sleep(12)
    while True:
        for datagram in datagrams:
            for address in addresses:
                sender.sendto(datagram, address)
        time.sleep(0.1)


def search(name):
    padded = name.encode() + bytes(8 - len(name) % 8)
    return struct.pack(">HHHHII", 6, len(padded), 5, 13, 1, 1) + padded


if __name__ == "__main__":
    serve(lies, ARGUMENTS[-1])
