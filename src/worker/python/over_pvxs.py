"""What the two approaches of p4p share: requests, versions and warnings."""

import numpy  # noqa: F401  (p4p uses it)

from p4p import Value, _p4p
from p4p.client.raw import Context

from epics_gauge import worker
import normative_fields

# The library asks for whole structures unless a request names fields.
VALUE = Context.makeRequest("field(value)")
UPDATE = Context.makeRequest("field(value,timeStamp)")

# Without `create`: `connect` does both. Without `put-unconfirmed`: the library waits for the
# server's answer to every put.
STAGES = worker.stages_without("create", "put-unconfirmed")
REPORTS = ("states", "unconnected", "mixed")

WARNINGS = (
    "connect contains a first get: the library has no call that only connects",
    "the library closes a channel 10 to 20 s after its last use",
    "put reads before it writes: the library does it by default",
    "updates that its queues, of 4 for each subscription, merge are not counted by the library",
)


def versions():
    return {
        **worker.distribution_versions("p4p", "pvxslibs", "epicscorelibs", "numpy"),
        "pvxs": _p4p.version_str().removeprefix("PVXS "),
    }


def stamp_ns(value):
    """pvAccess counts from the Unix epoch."""
    seconds, nanoseconds = value.raw_stamp
    return seconds * 1_000_000_000 + nanoseconds


def taken(value):
    """The value is what the library returned, all else is in its `raw` structure."""
    if isinstance(value, Exception):
        raise value
    if isinstance(value, Value):
        return normative_fields.of_dict(value.todict(None, dict))
    return normative_fields.with_value(value, value.raw)
