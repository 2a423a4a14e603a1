"""The fields of a normative type of pvAccess by the names of checks."""

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


def of_dict(whole):
    """The fields of a library that returns a structure as a dictionary: one without the field
    `value` is the value itself."""
    value = whole.get("value", whole)
    if isinstance(value, dict) and "choices" in value and "index" in value:
        value = value["index"]
    return with_value(value, whole)


def with_value(value, whole):
    """The fields of a library that returns a value of its own beside the structure."""
    found = {name: at(whole, place) for name, place in PLACES.items()}
    return typed.fields(value=value, **found)


def at(structure, place):
    """A member of a structure within structures; None where there is none."""
    for name in place.split("."):
        if not hasattr(structure, "keys") or name not in structure.keys():
            return None
        structure = structure[name]
    return structure
