"""Being slower by order, inside of what is timed, as a slower library would be: so
the harness learns which slowdowns it finds. The Python twin of
`src/worker/slowdown.rs`.

What is burnt on the CPU is burnt in Python, with the interpreter's lock held as
slower Python code would hold it: the library's own Python threads wait for up to
the interpreter's switch interval (5 ms). What is slept is slept without the lock.
An event loop stands still meanwhile, as it does under a slow call.
"""

import time

# By how much a sleep may last too long; that much of the time is spun away
# instead. Linux wakes a thread some 60 us late.
LATE_NS = 100_000
# Longer than any stage may take: a sleep that no clock can show is an error.
MOST_NS = 1_000_000_000_000_000

# Stages that treat no PVs, and those of monitors.
FREE = ("import", "context", "subscribe", "collect")


def nothing(_started):
    """The slowdown of a stage that is not slowed."""


def of_stage(slowdown, stage, pvs):
    """What a slowdown means for a stage that treats `pvs` PVs: a function that spends
    it, after work that began with the clock it is given."""
    if slowdown is None or stage in FREE:
        return nothing
    fraction = slowdown.get("fraction", 0)
    # `connect` comes after `create` and is charged for the same PVs.
    fixed_ns = 0 if stage == "create" else slowdown.get("per_pv_s", 0) * pvs * 1e9

    def suffer(started):
        worked_ns, worked_cpu_ns = time.monotonic_ns(), time.process_time_ns()
        burnt_ns = more_than(worked_cpu_ns - started.start_cpu_ns)
        spent_ns = more_than(worked_ns - started.start_ns)
        time.sleep(max(0, spent_ns - burnt_ns - LATE_NS) / 1e9)
        # The last turns make up for a sleep that ended too early or too late.
        while (
            time.process_time_ns() < worked_cpu_ns + burnt_ns
            or time.monotonic_ns() < worked_ns + spent_ns
        ):
            pass

    def more_than(used_ns):
        return min(used_ns * fraction + fixed_ns, MOST_NS)

    return suffer
