"""What cothread answers: `caget`, `caput` and `camonitor` as its documentation uses them."""

import cothread
from cothread import catools

from epics_gauge.worker import typed
from catools_api import Api, taken

API = Api(catools)


class Asked:
    """Answers questions; keeps the subscription of the last `monitor`."""

    def __init__(self):
        self.subscription = None
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
        answer = taken(catools.caget(question.pv, **API.of_get(question)))
        if question.detail == typed.METADATA:
            stamped = catools.caget(question.pv, format=API.time, timeout=question.timeout_s)
            answer = {**taken(stamped), **answer}
        return answer

    def put(self, question):
        catools.caput(question.pv, question.value, **API.of_put(question))

    def monitor(self, question):
        self.updates = []
        first = cothread.Event()

        def on_update(value):
            self.updates.append(taken(value))
            first.Signal()

        self.subscription = catools.camonitor(question.pv, on_update, **API.of_monitor(question))
        first.Wait(question.timeout_s)

    def collected(self, question):
        cothread.Sleep(question.seconds)
        self.subscription.close()
        return list(self.updates)
