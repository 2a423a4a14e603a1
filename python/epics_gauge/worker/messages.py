"""The lines that harness and worker exchange; described in
`docs/worker-protocol.md`."""

import json
import math

PROTOCOL_VERSION = 5
STAGES = (
    "import",
    "context",
    "create",
    "connect",
    "get",
    "get-again",
    "put",
    "readback",
    "put-unconfirmed",
    "get-default",
    "get-default-again",
    "subscribe",
    "collect",
    "disconnect",
    "close",
    "put-in-callback",
    "close-elsewhere",
    "get-forked",
    "get-threads",
    "subscribe-threads",
    "ask",
)
MODES = ("serial", "bulk")
CONTENTS = ("scalars", "frames")


class ProtocolError(Exception):
    """A line on stdin that is not of the protocol."""


def parse(line):
    """The kind of a message from the harness and its fields, or ProtocolError."""
    kind, message = split(line)
    if kind == "job":
        check_job(message)
    elif kind == "stage":
        check_stage(message)
    else:
        raise ProtocolError(f"unknown message {kind!r}")
    return kind, message


def split(line):
    """The kind and the fields of a line, unchecked."""
    try:
        message = json.loads(line)
    except ValueError as error:
        raise ProtocolError(f"not JSON: {error}") from error
    if not isinstance(message, dict):
        raise ProtocolError("not a JSON object")
    kind = message.pop("message", None)
    return kind, message


def say(answers, message):
    """Writes a message to the harness."""
    answers.write(json.dumps(message, allow_nan=False).encode() + b"\n")
    answers.flush()


def check_job(message):
    # Its name up to version 4.
    if "handicap" in message:
        message["slowdown"] = message.pop("handicap")
    check_fields("job", message, required={"pvs", "timeout_s"}, optional={"slowdown"})
    check("pvs", is_list_of(message["pvs"], str))
    check("timeout_s", is_number(message["timeout_s"]))
    check_unless_absent("slowdown", message, is_object)
    if message.get("slowdown") is not None:
        check_slowdown(message["slowdown"])


def check_slowdown(slowdown):
    check_fields("slowdown", slowdown, required=set(), optional={"fraction", "per_pv_s"})
    for field in slowdown:
        check(field, is_finite_from_0(slowdown[field]))


def check_stage(message):
    optional = {"pvs", "values", "monitor", "seconds", "gets", "absent", "ask"}
    check_fields("stage", message, required={"stage", "mode"}, optional=optional)
    check("stage", message["stage"] in STAGES)
    check("mode", message["mode"] in MODES)
    check_unless_absent("pvs", message, is_list_of_indices)
    check_unless_absent("absent", message, is_list_of_indices)
    check_unless_absent("values", message, is_list_of_numbers)
    check_unless_absent("monitor", message, is_object)
    check_unless_absent("seconds", message, is_number)
    check_unless_absent("gets", message, is_object)
    check_unless_absent("ask", message, is_object)
    if message.get("monitor") is not None:
        check_monitor(message["monitor"])
    if message.get("gets") is not None:
        check_gets(message["gets"])


def check_gets(gets):
    check_fields("gets", gets, required={"pvs", "every_s", "timeout_s"})
    check("pvs", is_list_of_indices(gets["pvs"]) and gets["pvs"])
    check("every_s", is_finite_from_0(gets["every_s"]))
    check("timeout_s", is_finite_from_0(gets["timeout_s"]))


def check_monitor(monitor):
    required = {"content", "step", "room", "monitors"}
    check_fields("monitor", monitor, required, optional={"callback_s", "frames", "may_be_silent"})
    check_unless_absent("frames", monitor, is_index)
    check_unless_absent("callback_s", monitor, is_finite_from_0)
    check_unless_absent("may_be_silent", monitor, is_boolean)
    check("content", monitor["content"] in CONTENTS)
    check("step", is_number(monitor["step"]))
    check("room", is_index(monitor["room"]))
    check("monitors", is_index(monitor["monitors"]) and monitor["monitors"] > 0)


def check_fields(what, fields, required, optional=frozenset()):
    missing = required - fields.keys()
    unknown = fields.keys() - required - optional
    if missing or unknown:
        raise ProtocolError(
            f"{what!r}: missing fields {sorted(missing)}, unknown fields {sorted(unknown)}"
        )


def check_unless_absent(field, message, is_valid):
    check(field, message.get(field) is None or is_valid(message[field]))


def check(field, is_valid):
    if not is_valid:
        raise ProtocolError(f"field {field!r} has an invalid value")


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_finite_from_0(value):
    return is_number(value) and math.isfinite(value) and value >= 0


def is_index(value):
    return type(value) is int and value >= 0


def is_boolean(value):
    return isinstance(value, bool)


def is_object(value):
    return isinstance(value, dict)


def is_list_of(value, kind):
    return isinstance(value, list) and all(isinstance(item, kind) for item in value)


def is_list_of_numbers(value):
    return isinstance(value, list) and all(is_number(item) for item in value)


def is_list_of_indices(value):
    return isinstance(value, list) and all(is_index(item) for item in value)
