"""The lines that harness and server exchange; described in
`docs/server-protocol.md`."""

from ..worker.messages import (
    ProtocolError,
    check,
    check_fields,
    check_unless_absent,
    is_index,
    is_number,
    say,
    split,
)

PROTOCOL_VERSION = 1
__all__ = ["PROTOCOL_VERSION", "ProtocolError", "parse", "say"]


def parse(line):
    """The kind of a message from the harness and its fields, or ProtocolError."""
    kind, message = split(line)
    if kind == "serve":
        check_serve(message)
    elif kind == "scan":
        check_fields("scan", message, required={"rate_hz"})
        check("rate_hz", is_rate(message["rate_hz"]))
    elif kind == "value":
        check_fields("value", message, required={"pv"})
        check("pv", is_index(message["pv"]))
    elif kind == "shell":
        check_fields("shell", message, required={"command"})
        check("command", isinstance(message["command"], str))
    elif kind in ("tick", "stop-scan", "made", "counters"):
        check_fields(kind, message, required=set())
    else:
        raise ProtocolError(f"unknown message {kind!r}")
    return kind, message


def check_serve(message):
    optional = {"without", "rate_hz", "records", "access_rules"}
    check_fields("serve", message, required={"pvs", "identity"}, optional=optional)
    check("pvs", is_index(message["pvs"]))
    check("identity", isinstance(message["identity"], str))
    check_unless_absent("without", message, is_index)
    check_unless_absent("rate_hz", message, is_rate)
    for name in ("records", "access_rules"):
        check_unless_absent(name, message, lambda value: isinstance(value, str))


def is_rate(value):
    return is_number(value) and value > 0
