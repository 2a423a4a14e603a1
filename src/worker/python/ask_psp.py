"""What psp answers: `Pv.get`, `Pv.put` and `Pv.monitor` as its documentation uses them."""

from psp.Pv import Pv

from epics_gauge.worker import typed
import ask_pyca
import control_fields


class Asked(typed.Asked):
    unable = staticmethod(ask_pyca.Asked.unable)

    def get(self, question):
        pv = connected(question)
        is_text = question.form == typed.TEXT
        value = pv.get(count=question.count, timeout=question.timeout_s, as_string=is_text)
        answer = {**ask_pyca.taken(pv.data), **typed.fields(value=value)}
        if question.detail == typed.METADATA:
            if pv.type() == "DBF_ENUM":
                pv.get_enum_set(question.timeout_s)
            pv.get(ctrl=True, timeout=question.timeout_s)
            answer = {**ask_pyca.taken(pv.data), **answer}
        pv.disconnect()
        return answer

    def put(self, question):
        pv = connected(question)
        pv.put(ask_pyca.plain(question.value), timeout=question.timeout_s)
        pv.disconnect()

    def subscribe(self, question):
        self.subscription = pv = connected(question)

        def on_update(error=None):
            if error is None:
                self.updates.append(ask_pyca.taken(pv.data))

        pv.add_monitor_callback(on_update)
        pv.monitor(control_fields.mask_of(question), count=question.count, wait_for_init=False)
        ask_pyca.pyca.flush_io()

    def unsubscribe(self):
        self.subscription.unsubscribe()
        self.subscription.disconnect()


def connected(question):
    pv = Pv(question.pv)
    pv.connect(timeout=question.timeout_s)
    return pv
