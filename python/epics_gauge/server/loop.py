"""The server's loop: reads commands, has the library do them, writes answers.

The protocol is described in `docs/server-protocol.md`. Every library is a
subclass of `Server` in a file of its own.
"""

import os
import platform
import sys
import time
import traceback

from ..worker.loop import distribution_versions, lines_from_stdin, take_over_stdout
from .messages import PROTOCOL_VERSION, ProtocolError, parse, say

# EX_DATAERR of sysexits.h: what came on stdin is not of the protocol.
EXIT_PROTOCOL = 65
EXIT_CRASH = 1
# The factor between the count of updates and the index in a PV's value.
UPDATE_FACTOR = 1 << 20
# How long a server may take to do everything that it has begun.
DEADLINE_S = 20


class ServerError(Exception):
    """Why something cannot be done: a sentence."""


class Server:
    """One library, as the loop drives it. Every method blocks until it is done.

    `gauge:INDEX` holds `value_of(INDEX, self.counts[INDEX])` whenever no client
    has written to it since its last update.
    """

    # The rates at which it can update; any rate where this is None.
    rates_hz = None
    # The indices of the PVs that it serves.
    indices = ()
    # How often each PV was updated, by index; also of one that it does not serve.
    counts = ()
    # Rounds of updates that took longer than their period.
    overruns = 0
    # The text of a database whose records are to be there too, and the file with the rules of
    # access security for them.
    database = None
    access_rules = None

    # The Python packages whose versions `versions` returns.
    packages = ()

    def versions(self):
        """Versions of everything below the server, as texts."""
        return distribution_versions(*self.packages)

    def serve(self, identity):
        """Makes the PVs of `self.indices` and one called `identity`, and serves
        them. Returns the port of each protocol."""
        raise NotImplementedError

    def tick(self):
        """Updates every PV once."""
        raise NotImplementedError

    def start_scanning(self, rate_hz):
        """Updates every PV `rate_hz` times per second from now on."""
        raise NotImplementedError

    def stop_scanning(self):
        """Ends that; afterwards no PV changes any more."""
        raise NotImplementedError

    def made(self):
        """How often each PV was updated since the start, by index."""
        return self.counts

    def value(self, index):
        """The value that PV `gauge:INDEX` holds."""
        raise NotImplementedError

    def shell(self, command):
        """Runs a command of the IOC's shell and returns what it prints."""
        raise ServerError("this server has no shell")

    def counters(self):
        """What it counts of its own work: see `docs/server-protocol.md`."""
        return {"scan_overruns": self.overruns}

    def next_value(self, index):
        """Counts an update of a PV and tells the value that it brings."""
        self.counts[index] += 1
        return value_of(index, self.counts[index])


class Pace:
    """When rounds of updates begin: at absolute times, so that their rate does
    not drift. A round that took too long is followed by the next at once; what
    was lost is not made up for by a burst of rounds."""

    def __init__(self, rate_hz):
        self.period_s = 1 / rate_hz
        self.next_s = time.monotonic()
        self.overruns = 0

    def pause_s(self):
        """Ends a round; tells how long to wait before the next."""
        now_s = time.monotonic()
        self.next_s += self.period_s
        if self.next_s < now_s:
            self.overruns += 1
            self.next_s = now_s
        return self.next_s - now_s


def value_of(index, count):
    """The value of a PV after so many updates; exact in a double."""
    return float(index + UPDATE_FACTOR * count)


def pv_name(index):
    return f"gauge:{index}"


def serve(server, name=None):
    """Serves one harness on stdin and stdout until stdin ends; never returns.

    `server` is a subclass of `Server`, or a function that imports and returns one. `name`
    is what to say hello with: the class's in lower case when there is none."""
    is_class = isinstance(server, type)
    if name is None:
        name = server.__name__.lower()
    answers = take_over_stdout()
    lines = lines_from_stdin()
    # Always os._exit: shutting down Python under a library's threads may take
    # seconds or crash.
    try:
        server = server() if is_class else server()()
        say(answers, hello(name, server))
        state = State(server)
        while True:
            kind, message = parse(lines.get())
            say(answers, state.obey(kind, message))
    except ProtocolError as error:
        print(f"server {name}: {error}", file=sys.stderr, flush=True)
        os._exit(EXIT_PROTOCOL)
    except BaseException:
        traceback.print_exc()
        os._exit(EXIT_CRASH)


def hello(name, server):
    message = {
        "message": "hello",
        "protocol": PROTOCOL_VERSION,
        "server": name,
        "pid": os.getpid(),
        "versions": {"python": platform.python_version(), **server.versions()},
    }
    if server.rates_hz is not None:
        message["rates_hz"] = list(server.rates_hz)
    return message


class State:
    """What the harness has asked for so far."""

    def __init__(self, server):
        self.server = server
        self.serves = False
        self.scans = False

    def obey(self, kind, message):
        """Does a command and returns the answer."""
        if self.serves == (kind == "serve"):
            raise ProtocolError(f"{kind!r} at the wrong time")
        try:
            return getattr(self, kind.replace("-", "_"))(**message)
        except ServerError as error:
            return {"message": "failed", "error": str(error)}
        except Exception as error:
            traceback.print_exc()
            return {"message": "failed", "error": f"{type(error).__name__}: {error}"}

    def serve(
        self, pvs, identity, without=None, rate_hz=None, records=None, access_rules=None
    ):
        self.check_rate(rate_hz)
        self.server.database = records
        self.server.access_rules = access_rules
        self.server.indices = [index for index in range(pvs) if index != without]
        self.server.counts = [0] * pvs
        ports = self.server.serve(f"epics-gauge:{identity}")
        self.serves = True
        return {"message": "ready", "ports": ports}

    def tick(self):
        if self.scans:
            raise ServerError("the PVs are updated by rate: no tick is needed")
        self.server.tick()
        return {"message": "done"}

    def scan(self, rate_hz):
        self.check_rate(rate_hz)
        if self.scans:
            raise ServerError("the PVs are updated by rate already")
        self.server.start_scanning(rate_hz)
        self.scans = True
        return {"message": "done"}

    def stop_scan(self):
        if self.scans:
            self.scans = False
            self.server.stop_scanning()
        return {"message": "done"}

    def made(self):
        return {"message": "made", "counts": list(self.server.made())}

    def value(self, pv):
        if pv not in self.server.indices:
            raise ServerError(f"there is no {pv_name(pv)}")
        return {"message": "value", "value": self.server.value(pv)}

    def shell(self, command):
        return {"message": "printed", "text": self.server.shell(command)}

    def counters(self):
        return {"message": "counters", **self.server.counters()}

    def check_rate(self, rate_hz):
        rates_hz = self.server.rates_hz
        if rate_hz is not None and rates_hz is not None and rate_hz not in rates_hz:
            rates = ", ".join(f"{rate:g}" for rate in rates_hz)
            raise ServerError(f"cannot update at {rate_hz:g} Hz; the rates are {rates} Hz")
