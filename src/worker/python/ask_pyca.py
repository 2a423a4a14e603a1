"""What pyca answers: `capv` channels with callbacks, as its `pyca.txt` describes."""

import threading

import pyca

from epics_gauge import worker
from epics_gauge.worker import typed
import control_fields

# What `data` calls the metadata.
METADATA = {
    "units": "units",
    "precision": "precision",
    "display_low": "display_llim",
    "display_high": "display_hlim",
    "alarm_low": "alarm_llim",
    "alarm_high": "alarm_hlim",
    "warning_low": "warn_llim",
    "warning_high": "warn_hlim",
    "control_low": "ctrl_llim",
    "control_high": "ctrl_hlim",
    "choices": "enum_set",
}
# For `get_data`: with time stamp or with limits; for both, as timeout: call back.
TIME, CONTROL = False, True
CALL_BACK = -1.0


class Asked(typed.Asked):
    @staticmethod
    def unable(question):
        if question.form == typed.LONG_TEXT:
            return "pyca returns arrays of characters as numbers"
        if "property" in (question.mask or ()):
            return "pyca has no DBE_PROPERTY"
        return typed.unable_over_channel_access(question)

    def get(self, question):
        if question.form == typed.TEXT:
            raise typed.Unable("pyca returns a value in its own type; of enums it has the texts")
        channel = connected(question)
        channel.get_data(TIME, question.timeout_s, *count_of(question))
        answer = taken(channel.data)
        if question.detail == typed.METADATA:
            if channel.type() == "DBF_ENUM":
                channel.get_enum_strings(question.timeout_s)
            channel.get_data(CONTROL, question.timeout_s)
            answer = {**taken(channel.data), **answer}
        channel.clear_channel()
        return answer

    def put(self, question):
        channel = connected(question)
        answered, errors = threading.Event(), []

        def on_answer(error=None):
            if error is not None:
                errors.append(error)
            answered.set()

        channel.putevt_cb = on_answer
        channel.put_data(plain(question.value), CALL_BACK)
        pyca.flush_io()
        if not answered.wait(question.timeout_s):
            raise TimeoutError("no answer to put_data")
        channel.clear_channel()
        if errors:
            raise RuntimeError(errors[0])

    def subscribe(self, question):
        self.subscription = channel = connected(question)

        def on_update(error=None):
            if error is None:
                self.updates.append(taken(channel.data))

        channel.monitor_cb = on_update
        mask = control_fields.mask_of(question)
        channel.subscribe_channel(mask, TIME, *count_of(question))
        pyca.flush_io()

    def unsubscribe(self):
        self.subscription.unsubscribe_channel()
        self.subscription.clear_channel()


def connected(question):
    up = threading.Event()
    channel = pyca.capv(question.pv)
    channel.connect_cb = lambda is_connected: is_connected and up.set()
    channel.create_channel()
    pyca.flush_io()
    if not up.wait(question.timeout_s):
        raise TimeoutError("not connected")
    return channel


def count_of(question):
    """Left to the library where nothing is asked for."""
    return () if question.count is None else (question.count,)


def plain(value):
    """An array is a tuple: the library takes no lists."""
    return tuple(value) if isinstance(value, list) else value


def taken(data):
    """What the library put into `data`; it counts seconds from 1990."""
    seconds = data.get("secs")
    found = {name: data.get(key) for name, key in METADATA.items()}
    return typed.fields(
        value=data["value"],
        status=data.get("status"),
        severity=data.get("severity"),
        seconds=None if seconds is None else seconds + worker.loop.EPICS_EPOCH_S,
        nanoseconds=data.get("nsec"),
        **found,
    )
