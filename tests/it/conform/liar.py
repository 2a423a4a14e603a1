"""A worker that errs in one way: it passes questions on to a floor and changes what comes back.

    liar.py GAUGE FLOOR LIE
"""

import json
import os
import struct
import subprocess
import sys
import time

GAUGE, FLOOR, LIE = sys.argv[1:]


def value_of(number):
    return {"float": struct.pack(">d", number).hex()}


class Honest:
    """Changes nothing. `question` is what is asked, `reply` what the floor answered."""

    def question(self, ask):
        return ask

    def reply(self, ask, reply):
        for fields in [reply["fields"]] if "fields" in reply else reply.get("updates", []):
            self.fields(ask, fields)
        return reply

    def fields(self, ask, fields):
        pass


class Scalars(Honest):
    """Numbers go through 32 bits."""

    def fields(self, ask, fields):
        if "float" in fields.get("value", {}):
            (number,) = struct.unpack(">d", bytes.fromhex(fields["value"]["float"]))
            (short,) = struct.unpack(">f", struct.pack(">f", number))
            fields["value"] = value_of(short)


class Strings(Honest):
    """Texts end after 38 characters."""

    def fields(self, ask, fields):
        if "text" in fields.get("value", {}):
            fields["value"]["text"] = fields["value"]["text"][:38]


class Enums(Honest):
    """States without a string are left out."""

    def fields(self, ask, fields):
        if "choices" in fields:
            states = fields["choices"]["list"]
            fields["choices"]["list"] = [state for state in states if state.get("text")]


class Arrays(Honest):
    """An array of one element is a scalar."""

    def fields(self, ask, fields):
        elements = fields.get("value", {}).get("list", [])
        if len(elements) == 1:
            fields["value"] = elements[0]


class Alarms(Honest):
    """There are no severities."""

    def fields(self, ask, fields):
        if "severity" in fields:
            fields["severity"] = {"integer": "0"}


class Times(Honest):
    """Seconds count from 1990."""

    def fields(self, ask, fields):
        if "seconds" in fields:
            fields["seconds"]["integer"] = str(int(fields["seconds"]["integer"]) - 631152000)


class Limits(Honest):
    """Low and high are swapped."""

    def fields(self, ask, fields):
        low, high = fields.get("display_low"), fields.get("display_high")
        if low and high:
            fields["display_low"], fields["display_high"] = high, low


class Names(Honest):
    """A record's name is what it was asked by."""

    def fields(self, ask, fields):
        if ask["pv"].endswith(".NAME"):
            fields["value"] = {"text": ask["pv"].removesuffix(".NAME")}


class Filters(Honest):
    """Filters are dropped."""

    def question(self, ask):
        return {**ask, "pv": ask["pv"].split(".{")[0]}


class Monitors(Honest):
    """The first update is lost."""

    def reply(self, ask, reply):
        return {"updates": reply["updates"][1:]} if "updates" in reply else reply


class Puts(Honest):
    """Every put succeeds."""

    def reply(self, ask, reply):
        return {"fields": {}} if ask["call"] == "put" else reply


class Structures(Honest):
    """Structures lose their last member."""

    def fields(self, ask, fields):
        members = fields.get("value", {}).get("structure")
        if members:
            members.popitem()


class Fails(Honest):
    """Every call fails, and none reaches the server."""

    def question(self, ask):
        return None

    def reply(self, ask, reply):
        return {"error": "it failed"}


class TimesOut(Fails):
    """Every call reports a timeout."""

    def reply(self, ask, reply):
        return {"unanswered": "it timed out"}


class Echo(Fails):
    """Every call returns what was last put; none reaches the server."""

    last = value_of(12345.678)

    def reply(self, ask, reply):
        if ask["call"] == "put":
            self.last = ask["value"]
            return {"fields": {}}
        fields = {"value": self.last}
        return {"updates": [fields]} if ask["call"] == "updates" else {"fields": fields}


class Crashes(Honest):
    """Its process ends."""

    def question(self, ask):
        os._exit(3)


class Hangs(Honest):
    """It never answers."""

    def question(self, ask):
        time.sleep(3600)


class WritesOnlyRefused(Honest):
    """The put that is permitted gets lost; the one that is refused reports an error."""

    def question(self, ask):
        return None if ask["pv"] == "pu:permitted" else ask

    def reply(self, ask, reply):
        return reply or {"fields": {}}


LIES = {
    kind.__name__.lower(): kind
    for kind in [Scalars, Strings, Enums, Arrays, Alarms, Times, Limits, Names, Filters, Monitors,
                 Puts, Structures, Fails, TimesOut, Echo, Crashes, Hangs, WritesOnlyRefused]
}


class Floor:
    """A worker of the program, asked line by line."""

    def __init__(self):
        self.process = subprocess.Popen(
            [GAUGE, "worker", FLOOR], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def heard(self):
        return json.loads(self.process.stdout.readline())

    def say(self, message):
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()


def say(message):
    print(json.dumps(message), flush=True)


def main():
    floor, lie = Floor(), LIES[LIE]()
    say({**floor.heard(), "approach": LIE})
    for line in sys.stdin:
        message = json.loads(line)
        ask = message.get("ask")
        if ask is None:
            floor.say(message)
            continue
        question = lie.question(ask)
        done = {"message": "done", "stage": "ask", "mode": "serial"}
        done.update({"start_ns": 0, "end_ns": 1, "cpu_ns": 0})
        if question is not None:
            floor.say({**message, "ask": question})
            done = floor.heard()
        say({**done, "reply": lie.reply(ask, done.get("reply") or {})})
    floor.process.stdin.close()
    floor.process.wait()


main()
