"""What arrived on subscriptions: noted in callbacks, summed up afterwards.

The Python twin of `src/worker/updates.rs`, the same for every client.
"""

import struct
import threading
import time

import numpy

# Digits of a latency that are kept.
LATENCY_DIGITS = 3

# One update, as the callback packs it and as numpy reads it.
NOTE = struct.Struct("=qdQqq")
NOTE_TYPE = numpy.dtype(
    [
        ("subscription", "i8"),
        ("number", "f8"),
        ("sum", "u8"),
        ("stamp_ns", "i8"),
        ("arrived_ns", "i8"),
    ]
)

# Latencies over time: the most slices, the shortest, and how many PVs have their own.
MOST_SLICES = 60
SHORTEST_SLICE_NS = 100_000_000
SLOWEST_PVS = 3

POWERS_OF_TEN = 10 ** numpy.arange(19, dtype=numpy.int64)


class UpdateLog:
    """The notes of all subscriptions, in the order of arrival.

    Room is made, and touched, before the first update, so that noting allocates
    nothing and the process's memory shows what the library holds.

    Subscriptions have numbers. Those to a PV are as far from one another as the
    job has PVs, so the first has the number of its PV.
    """

    def __init__(self, monitor, pvs):
        self.pvs = pvs
        self.monitors = monitor["monitors"]
        self.step = monitor["step"]
        # So many of the first PVs bring frames.
        self.frames = pvs if monitor["content"] == "frames" else monitor.get("frames") or 0
        self.is_mixed = bool(monitor.get("frames"))
        # Whether to go on where subscriptions have brought nothing until the timeout.
        self.may_be_silent = bool(monitor.get("may_be_silent"))
        self.notes = bytearray(b"\xff" * NOTE.size) * monitor["room"]
        self.noted_bytes = 0
        self.first_updates = FirstUpdates(pvs, self.monitors)
        self.callback_s = monitor.get("callback_s") or 0
        self.states = []
        # Subscriptions whose next update says that their PV is connected again.
        self.lost = set()
        # Callbacks may come on several threads.
        self.lock = threading.Lock()
        # To be called in the callback of the next update, once.
        self.on_next = None
        # Updates that arrived before this moment have no latency.
        self.latencies_from_ns = None
        # What the monotonic clock is behind the one since the Unix epoch.
        self.epoch_ns = time.time_ns() - time.monotonic_ns()

    def subscriptions(self, pvs):
        """The numbers of the subscriptions to `pvs`, each with its PV; first one
        to each PV, then the second to each, and so on."""
        return subscriptions(self.pvs, self.monitors, pvs)

    def numbers(self, monitor, pvs):
        """The number of one subscription to each of `pvs`."""
        return numbers(self.pvs, monitor, pvs)

    def note(self, subscription, value, stamp_ns, arrived_ns):
        """Notes an update of a subscription, to be called by the library's callback.

        `value` is a number, or for frames a numpy array of 16 bit elements,
        signed or not. Both times are since the Unix epoch; the callback reads
        `arrived_ns` before it does anything else.
        """
        if self.frames and self.brings_frame(subscription):
            number, total = frame_number_and_sum(value)
        else:
            number, total = value, 0
        with self.lock:
            place = self.noted_bytes
            if place == len(self.notes):
                self.notes.extend(bytes(NOTE.size))
            NOTE.pack_into(self.notes, place, subscription, number, total, stamp_ns, arrived_ns)
            self.noted_bytes = place + NOTE.size
            if self.first_updates.count:
                self.first_updates.arrived(subscription)
            if self.lost and subscription in self.lost:
                self.lost.remove(subscription)
                self.change_state(subscription, True)
        if self.on_next is not None:
            on_next, self.on_next = self.on_next, None
            on_next()
        if self.callback_s:
            time.sleep(self.callback_s)

    def brings_frame(self, subscription):
        """Whether the updates of a subscription are frames."""
        return subscription % self.pvs < self.frames

    def state(self, pv, is_connected):
        """Notes that the library reported a PV as connected, or as disconnected; to be
        called by its callback."""
        with self.lock:
            self.change_state(pv, is_connected)

    def disconnected(self, subscription):
        """Notes that the library reported the PV of a subscription as disconnected, where
        the next update is all that it reports of the PV's return. That it is not connected
        yet is no news."""
        with self.lock:
            if self.first_updates.is_awaited[subscription]:
                return
            self.lost.add(subscription)
            self.change_state(subscription, False)

    def change_state(self, subscription, is_connected):
        """To be called with the lock. Of a PV the first subscription counts."""
        if subscription < self.pvs:
            at_ns = time.monotonic_ns()
            change = {"pv": subscription, "at_ns": at_ns, "connected": bool(is_connected)}
            self.states.append(change)

    def begin_collecting(self):
        """From now on latencies count."""
        self.latencies_from_ns = time.time_ns()

    def take(self):
        """Takes all notes, in the form of the protocol without the counters."""
        with self.lock:
            noted = bytes(memoryview(self.notes)[: self.noted_bytes])
            self.noted_bytes = 0
            states, self.states = self.states, []
        notes = numpy.frombuffer(noted, NOTE_TYPE)
        taken = {"runs": self.runs(notes), "latencies": []}
        if states:
            taken["states"] = states
        if self.latencies_from_ns is None:
            return taken
        collected = notes[notes["arrived_ns"] >= self.latencies_from_ns]
        latencies_ns = rounded(collected["arrived_ns"] - collected["stamp_ns"])
        taken["latencies"] = counted(latencies_ns)
        pvs = collected["subscription"] % self.pvs
        if self.is_mixed:
            of_pv = (latencies_ns[pvs == pv] for pv in range(self.pvs))
            taken["latencies_by_pv"] = [counted(latencies_ns) for latencies_ns in of_pv]
        if len(collected):
            arrived_ns = collected["arrived_ns"] - self.epoch_ns
            taken["latency_over_time"] = latency_over_time(pvs, arrived_ns, latencies_ns)
        return taken

    def runs(self, notes):
        """Whatever does not follow on the update before begins a new run."""
        by_subscription = numpy.argsort(notes["subscription"], kind="stable")
        notes = notes[by_subscription]
        subscriptions, numbers = notes["subscription"], notes["number"]
        begins = numpy.ones(len(notes), dtype=bool)
        begins[1:] = subscriptions[1:] != subscriptions[:-1]
        begins[1:] |= numbers[1:] != numbers[:-1] + self.step
        starts = numpy.flatnonzero(begins)
        counts = numpy.diff(starts, append=len(notes))
        by_arrival = numpy.argsort(by_subscription[starts])
        starts, counts = starts[by_arrival], counts[by_arrival]
        columns = {"pv": subscriptions[starts] % self.pvs}
        if self.monitors > 1:
            columns["monitor"] = subscriptions[starts] // self.pvs
        columns["first"] = numbers[starts]
        columns["count"] = counts
        columns["start_ns"] = numpy.maximum(notes["arrived_ns"][starts] - self.epoch_ns, 0)
        rows = zip(*(column.tolist() for column in columns.values()))
        runs = [dict(zip(columns, row)) for row in rows]
        if self.frames:
            for run, start in zip(runs, starts.tolist()):
                if run["pv"] < self.frames:
                    run["sums"] = notes["sum"][start : start + run["count"]].tolist()
        return runs


class FirstUpdates:
    """The subscriptions whose first update is awaited.

    A byte for each, and a count: there may be a million, and every update comes by. It does
    not refer to its log: together they would stay until Python collects garbage, and look
    like a leak of the library.
    """

    def __init__(self, pvs, monitors):
        self.pvs = pvs
        self.monitors = monitors
        self.is_awaited = bytearray(pvs * monitors)
        self.count = 0
        self.finished = None

    def expect(self, pvs, finished):
        """To be called before `pvs` are subscribed to. `finished` is an event that
        is set with the last of their subscriptions' first updates."""
        self.finished = finished
        for subscription, _ in subscriptions(self.pvs, self.monitors, pvs):
            self.is_awaited[subscription] = True
            self.count += 1

    def arrived(self, subscription):
        """To be called with the log's lock."""
        if self.is_awaited[subscription]:
            self.is_awaited[subscription] = False
            self.count -= 1
            if not self.count:
                self.finished.set()

    def silent_pvs(self):
        """The PVs with subscriptions whose first update has not come."""
        of_pv = numpy.frombuffer(self.is_awaited, bool).reshape(self.monitors, -1)
        return numpy.flatnonzero(of_pv.any(axis=0)).tolist()


def subscriptions(all_pvs, monitors, pvs):
    for monitor in range(monitors):
        yield from zip(numbers(all_pvs, monitor, pvs), pvs)


def numbers(all_pvs, monitor, pvs):
    return [monitor * all_pvs + pv for pv in pvs]


def frame_number_and_sum(elements):
    pixels = numpy.atleast_1d(elements)
    pixels = pixels.view(pixels.dtype.str.replace("i", "u"))
    # What an IOC sends before its first frame may be empty.
    low, high = pixels[:2].tolist() if len(pixels) > 1 else (0, 0)
    return low + 65536 * high, pixels.sum(dtype=numpy.uint64)


def latency_over_time(pvs, arrived_ns, latencies_ns):
    """What `src/worker/latency_over_time.rs` makes of the same updates."""
    first_ns = int(arrived_ns.min())
    slice_ns = max((int(arrived_ns.max()) - first_ns) // MOST_SLICES + 1, SHORTEST_SLICE_NS)
    slices = ((arrived_ns - first_ns) // slice_ns).astype(numpy.uint8)

    def by_slice(slices, latencies_ns):
        """When each slice begins, and its latencies."""
        order = numpy.argsort(slices, kind="stable")
        numbers, begins = numpy.unique(slices[order], return_index=True)
        groups = numpy.split(latencies_ns[order], begins[1:])
        starts_ns = [first_ns + number * slice_ns for number in numbers.tolist()]
        return list(zip(starts_ns, groups))

    names, places = numpy.unique(pvs, return_inverse=True)
    longest_ns = numpy.full(len(names), latencies_ns.min())
    numpy.maximum.at(longest_ns, places, latencies_ns)
    by_longest = numpy.argsort(-longest_ns, kind="stable")
    slowest = [names[place] for place in by_longest[:SLOWEST_PVS]] if len(names) > 1 else []
    return {
        "slice_ns": slice_ns,
        "slices": [slice_figures(*one) for one in by_slice(slices, latencies_ns)],
        "median_pv_ns": int(longest_ns[by_longest[len(names) // 2]]),
        "slowest_pvs": [
            {
                "pv": int(pv),
                "longest_ns": [
                    [start_ns, int(group.max())]
                    for start_ns, group in by_slice(slices[pvs == pv], latencies_ns[pvs == pv])
                ],
            }
            for pv in slowest
        ],
    }


def slice_figures(start_ns, latencies_ns):
    ordered = numpy.sort(latencies_ns)

    def at(percent):
        return int(ordered[-(-len(ordered) * percent // 100) - 1])

    return {
        "start_ns": start_ns,
        "count": len(ordered),
        "p50_ns": at(50),
        "p99_ns": at(99),
        "max_ns": int(ordered[-1]),
    }


def counted(latencies_ns):
    """Latencies in order, with the count of each."""
    values, counts = numpy.unique(latencies_ns, return_counts=True)
    return [list(pair) for pair in zip(values.tolist(), counts.tolist())]


def rounded(latencies_ns):
    """To LATENCY_DIGITS digits."""
    sizes = numpy.abs(latencies_ns)
    digits = numpy.searchsorted(POWERS_OF_TEN, sizes, side="right")
    units = POWERS_OF_TEN[numpy.maximum(digits - LATENCY_DIGITS, 0)]
    return numpy.sign(latencies_ns) * ((sizes + units // 2) // units * units)
