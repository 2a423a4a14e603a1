"""What pyepics answers: `epics.PV` as its documentation uses it."""

import time

import epics

from epics_gauge.worker import typed
import control_fields

# From the Unix epoch to 1990 pyepics counts itself: its time stamps are Unix times.
MASKS = {"value": 1, "log": 2, "alarm": 4, "property": 8}
METADATA = {**control_fields.LIMITS, "choices": "enum_strs"}


class Asked:
    """Answers questions; keeps the subscription of the last `monitor`."""

    def __init__(self):
        self.pv = None
        self.updates = []

    def ask(self, question):
        if question.request is not None:
            raise typed.Unable("Channel Access has no request strings")
        return {
            "get": self.get,
            "put": self.put,
            "monitor": self.monitor,
            "updates": self.collected,
        }[question.call](question)

    def get(self, question):
        form = "native" if question.detail == typed.VALUE else "time"
        pv = epics.PV(question.pv, form=form, auto_monitor=False)
        as_string = question.form != typed.NATIVE
        data = pv.get_with_metadata(
            count=question.count, as_string=as_string, timeout=question.timeout_s
        )
        if data is None:
            raise TimeoutError("PV.get returned None")
        answer = taken(data)
        if question.detail == typed.METADATA:
            more = pv.get_ctrlvars(timeout=question.timeout_s)
            if more is None:
                raise TimeoutError("PV.get_ctrlvars returned None")
            found = {name: more.get(key) for name, key in METADATA.items()}
            answer.update(typed.fields(**found))
        pv.disconnect()
        return answer

    def put(self, question):
        pv = epics.PV(question.pv, auto_monitor=False)
        done = pv.put(question.value, wait=True, timeout=question.timeout_s)
        if done is None or done < 0:
            raise TimeoutError(f"PV.put returned {done}")

    def monitor(self, question):
        self.updates = []
        mask = sum(MASKS[name] for name in question.mask or ("value", "alarm"))
        self.pv = epics.PV(
            question.pv, form="time", auto_monitor=mask, callback=self.on_update,
            count=question.count,
        )
        end = time.monotonic() + question.timeout_s
        while not self.updates:
            if time.monotonic() > end:
                raise TimeoutError("no first update")
            time.sleep(0.005)

    def on_update(self, **data):
        self.updates.append(taken(data))

    def collected(self, question):
        time.sleep(question.seconds)
        self.pv.disconnect()
        return list(self.updates)


def taken(data):
    seconds = data.get("posixseconds")
    return typed.fields(
        value=data["value"],
        status=data.get("status"),
        severity=data.get("severity"),
        seconds=None if seconds is None else int(seconds),
        nanoseconds=data.get("nanoseconds"),
    )
