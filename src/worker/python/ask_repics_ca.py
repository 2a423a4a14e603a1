"""What repics answers over Channel Access: `caget`, `caput` and `camonitor`."""

from repics import ca

from epics_gauge.worker import typed
from catools_api import taken
import control_fields

DETAILS = {typed.VALUE: "plain", typed.TIME: "time", typed.METADATA: "ctrl"}
DATATYPES = {typed.NATIVE: None, typed.TEXT: str, typed.LONG_TEXT: ca.DBR_CHAR_STR}


class Asked(typed.Asked):
    unable = staticmethod(typed.unable_over_channel_access)
    taken = staticmethod(taken)

    def get(self, question):
        answer = taken(
            ca.caget(
                question.pv,
                form=DETAILS[question.detail],
                datatype=DATATYPES[question.form],
                count=question.count or 0,
                timeout=question.timeout_s,
            )
        )
        if question.detail == typed.METADATA:
            answer = {**taken(ca.caget(question.pv, timeout=question.timeout_s)), **answer}
        return answer

    def put(self, question):
        datatype = ca.DBR_CHAR_STR if question.form == typed.LONG_TEXT else None
        ca.caput(
            question.pv, question.value, wait=True, datatype=datatype, timeout=question.timeout_s
        )

    def subscribe(self, question):
        self.subscription = ca.camonitor(
            question.pv,
            self.updates.append,
            form="time",
            datatype=DATATYPES[question.form],
            count=question.count or 0,
            mask=control_fields.mask_of(question),
            all_updates=True,
        )
