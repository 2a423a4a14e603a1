"""What aioca took over from cothread: values that carry their metadata, and how to ask for them."""

from epics_gauge.worker import typed
import control_fields

METADATA = {**control_fields.LIMITS, "choices": "enums"}


class Api:
    """The constants of one of the two libraries."""

    def __init__(self, library):
        self.long_text = library.DBR_CHAR_STR
        self.time = library.FORMAT_TIME
        self.formats = {
            typed.VALUE: library.FORMAT_RAW,
            typed.TIME: library.FORMAT_TIME,
            typed.METADATA: library.FORMAT_CTRL,
        }
        self.forms = {
            typed.NATIVE: None,
            typed.TEXT: library.DBR_STRING,
            typed.LONG_TEXT: library.DBR_CHAR_STR,
        }

    def of_get(self, question):
        return {
            "datatype": self.forms[question.form],
            "format": self.formats[question.detail],
            "count": question.count or 0,
            "timeout": question.timeout_s,
        }

    def of_put(self, question):
        datatype = self.long_text if question.form == typed.LONG_TEXT else None
        return {"datatype": datatype, "wait": True, "timeout": question.timeout_s}

    def of_monitor(self, question):
        return {
            "events": control_fields.mask_of(question),
            "datatype": self.forms[question.form],
            "format": self.time,
            "count": question.count or 0,
            "all_updates": True,
        }


def taken(value):
    seconds, nanoseconds = getattr(value, "raw_stamp", (None, None))
    found = {name: getattr(value, key, None) for name, key in METADATA.items()}
    return typed.fields(
        value=value,
        status=getattr(value, "status", None),
        severity=getattr(value, "severity", None),
        seconds=seconds,
        nanoseconds=nanoseconds,
        **found,
    )
