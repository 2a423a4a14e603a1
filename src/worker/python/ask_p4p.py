"""What p4p answers: `Context.get`, `put` and `monitor` of its client for threads."""

import functools

from p4p.client.thread import Context

from epics_gauge.worker import typed
from over_pvxs import taken


class Asked(typed.Asked):
    unable = staticmethod(typed.unable_over_pv_access)
    taken = staticmethod(taken)

    @functools.cached_property
    def context(self):
        return Context("pva")

    def get(self, question):
        value = self.context.get(
            question.pv, request=question.request, timeout=question.timeout_s
        )
        return taken(value)

    def put(self, question):
        self.context.put(
            question.pv, question.value, request=question.request, timeout=question.timeout_s
        )

    def subscribe(self, question):
        self.subscription = self.context.monitor(
            question.pv, self.updates.append, request=question.request
        )
