"""What p4p answers: `Context.get`, `put` and `monitor` of its client for threads."""

import queue
import time

from p4p import Value
from p4p.client.thread import Context

from epics_gauge.worker import typed

# Where each field is in the structure that comes with a value.
PLACES = {
    "severity": "alarm.severity",
    "status": "alarm.status",
    "message": "alarm.message",
    "seconds": "timeStamp.secondsPastEpoch",
    "nanoseconds": "timeStamp.nanoseconds",
    "tag": "timeStamp.userTag",
    "units": "display.units",
    "precision": "display.precision",
    "description": "display.description",
    "display_low": "display.limitLow",
    "display_high": "display.limitHigh",
    "control_low": "control.limitLow",
    "control_high": "control.limitHigh",
    "alarm_low": "valueAlarm.lowAlarmLimit",
    "warning_low": "valueAlarm.lowWarningLimit",
    "warning_high": "valueAlarm.highWarningLimit",
    "alarm_high": "valueAlarm.highAlarmLimit",
    "choices": "value.choices",
    "labels": "labels",
    "dimension": "dimension",
}


class Asked:
    """Answers questions; keeps the subscription of the last `monitor`."""

    def __init__(self):
        self.context = None
        self.subscription = None
        self.updates = None

    def ask(self, question):
        if question.form != typed.NATIVE:
            raise typed.Unable("pvAccess has a value in its own type only")
        if question.count is not None:
            raise typed.Unable("pvAccess has no requests for a part of an array")
        if question.mask is not None:
            raise typed.Unable("pvAccess has no masks of events")
        if self.context is None:
            self.context = Context("pva")
        return {
            "get": self.get,
            "put": self.put,
            "monitor": self.monitor,
            "updates": self.collected,
        }[question.call](question)

    def get(self, question):
        value = self.context.get(
            question.pv, request=question.request, timeout=question.timeout_s
        )
        return taken(value)

    def put(self, question):
        self.context.put(
            question.pv, question.value, request=question.request, timeout=question.timeout_s
        )

    def monitor(self, question):
        self.updates = queue.SimpleQueue()
        self.subscription = self.context.monitor(
            question.pv, self.updates.put, request=question.request
        )
        first = self.updates.get(timeout=question.timeout_s)
        self.first = taken(first)

    def collected(self, question):
        time.sleep(question.seconds)
        self.subscription.close()
        updates = [self.first]
        while not self.updates.empty():
            updates.append(taken(self.updates.get()))
        return updates


def taken(value):
    """The value is what the library returned, all else is in its `raw` structure."""
    if isinstance(value, Exception):
        raise value
    raw = value if isinstance(value, Value) else value.raw
    found = {name: at(raw, place) for name, place in PLACES.items()}
    if isinstance(value, Value):
        plain = value.todict(None, dict)
        value = plain["value"] if "value" in plain else plain
        if isinstance(value, dict) and "choices" in value and "index" in value:
            value = value["index"]
    return typed.fields(value=value, **found)


def at(structure, place):
    """A member of a structure within structures; None where there is none."""
    for name in place.split("."):
        if not isinstance(structure, Value) or name not in structure.keys():
            return None
        structure = structure[name]
    return structure
