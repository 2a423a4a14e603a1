"""What pyepics answers: `epics.PV` as its documentation uses it."""

import epics

from epics_gauge.worker import typed
import control_fields

METADATA = {**control_fields.LIMITS, "choices": "enum_strs"}


class Asked(typed.Asked):
    unable = staticmethod(typed.unable_over_channel_access)

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

    def subscribe(self, question):
        mask = control_fields.mask_of(question)
        self.subscription = epics.PV(
            question.pv, form="time", auto_monitor=mask, callback=self.on_update,
            count=question.count,
        )

    def on_update(self, **data):
        self.updates.append(taken(data))

    def unsubscribe(self):
        self.subscription.disconnect()


def taken(data):
    seconds = data.get("posixseconds")
    return typed.fields(
        value=data["value"],
        status=data.get("status"),
        severity=data.get("severity"),
        seconds=None if seconds is None else int(seconds),
        nanoseconds=data.get("nanoseconds"),
    )
