"""Gets that a worker makes while it collects updates.

The Python twin of `src/worker/gets.rs`.
"""

import itertools
import math
import time


class GetsMeanwhile:
    """The gets of one `collect`: when each is due, and what came of it.

    Iterating yields how long to collect until the next get, and the PV to read then; at last
    the time that is left, and None.
    """

    def __init__(self, seconds, gets):
        self.end_s = time.monotonic() + seconds
        self.pvs = itertools.cycle(gets["pvs"])
        self.every_s = gets["every_s"]
        self.timeout_s = gets["timeout_s"]
        self.attempts = []

    def __iter__(self):
        due_s = time.monotonic()
        while due_s < self.end_s:
            yield max(0.0, due_s - time.monotonic()), next(self.pvs)
            due_s = max(due_s + self.every_s, time.monotonic())
        yield max(0.0, self.end_s - time.monotonic()), None

    def begin(self, pv):
        """To be called right before the library is asked."""
        self.attempts.append({"pv": pv, "start_ns": time.monotonic_ns()})

    def answered(self, value):
        """The library answered the get that was begun last."""
        value = float(value)
        outcome = {"value": value} if math.isfinite(value) else {"error": f"it is {value}"}
        self.end(outcome)

    def failed(self, error):
        """The library gave up the get that was begun last."""
        self.end({"error": str(error) or type(error).__name__})

    def end(self, outcome):
        self.attempts[-1].update({"end_ns": time.monotonic_ns()}, **outcome)
