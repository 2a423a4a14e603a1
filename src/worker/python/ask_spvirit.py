"""What spvirit answers: `Client.get`, `put` and `subscribe` as its documentation uses them."""

from epics_gauge.worker import typed
import normative_fields


class Asked(typed.Asked):
    def __init__(self, searching):
        super().__init__()
        self.searching = searching

    @staticmethod
    def unable(question):
        if question.request is not None:
            return "spvirit takes names of fields, no request strings"
        return typed.unable_over_pv_access(question)

    def client(self, question):
        return self.searching().timeout(question.timeout_s).build()

    def get(self, question):
        return taken(self.client(question).get(question.pv))

    def put(self, question):
        self.client(question).put(question.pv, question.value)

    def subscribe(self, question):
        # The library ends a subscription whose callback returns False.
        self.subscription = self.client(question).subscribe(
            question.pv, lambda update: self.updates.append(taken(update))
        )


def taken(answer):
    """A structure is a dictionary, a value without one is the value."""
    value = answer.value
    if isinstance(value, dict):
        return normative_fields.of_dict(value)
    return typed.fields(value=value)
