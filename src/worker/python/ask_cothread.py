"""What cothread answers: `caget`, `caput` and `camonitor` as its documentation uses them."""

import cothread
from cothread import catools

from epics_gauge.worker import typed
from catools_api import Api, taken

API = Api(catools)


class Asked(typed.Asked):
    unable = staticmethod(typed.unable_over_channel_access)
    sleep = staticmethod(cothread.Sleep)
    taken = staticmethod(taken)

    def get(self, question):
        answer = taken(catools.caget(question.pv, **API.of_get(question)))
        if question.detail == typed.METADATA:
            stamped = catools.caget(question.pv, format=API.time, timeout=question.timeout_s)
            answer = {**taken(stamped), **answer}
        return answer

    def put(self, question):
        catools.caput(question.pv, question.value, **API.of_put(question))

    def subscribe(self, question):
        self.subscription = catools.camonitor(
            question.pv, self.updates.append, **API.of_monitor(question)
        )
