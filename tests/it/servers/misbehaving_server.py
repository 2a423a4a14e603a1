"""A server that speaks the server protocol, but does one thing wrong.

    misbehaving_server.py FAULT
"""

import json
import os
import socket
import sys
import time

FAULT = sys.argv[1]
HELLO = {"message": "hello", "protocol": 1, "server": "mine", "pid": os.getpid(), "versions": {}}


def main():
    print("these are my last words", file=sys.stderr, flush=True)
    if FAULT == "dies at once":
        sys.exit(3)
    if FAULT == "garbage":
        print("Welcome to my IOC", flush=True)
    hello = dict(HELLO)
    if FAULT == "other version":
        hello["protocol"] = 7
    if FAULT == "other name":
        hello["server"] = "yours"
    if FAULT == "unknown field":
        hello["colour"] = "red"
    if FAULT == "two rates":
        hello["rates_hz"] = [1, 10]
    say(hello)
    for line in sys.stdin:
        command = json.loads(line)
        say(answer(command["message"], command))


def answer(kind, command):
    if kind == "serve":
        return serve(command)
    if FAULT == "dies in use":
        print("out of luck", file=sys.stderr, flush=True)
        os.abort()
    if FAULT == "other answer":
        return {"message": "value", "value": 0.0}
    if FAULT == "cannot" and kind == "tick":
        return {"message": "failed", "error": "no power"}
    if FAULT == "counts too few" and kind == "made":
        return {"message": "made", "counts": [0]}
    if FAULT == "overloaded" and kind == "tick":
        print("High load. Dropped 3 responses.\nHigh load. Dropped 4 responses.", file=sys.stderr)
        print("callbackRequest: cbLow ring buffer full", file=sys.stderr, flush=True)
        time.sleep(0.2)
    if kind == "counters":
        return {"message": "counters", "merged_updates": 7}
    if FAULT == "talks" and kind == "tick":
        say({"message": "done"})
    return {"message": "done"}


def serve(command):
    if FAULT == "refuses":
        return {"message": "failed", "error": "no room"}
    port = int(os.environ["EPICS_PVAS_SERVER_PORT"])
    if FAULT == "other port":
        return {"message": "ready", "ports": {"pva": port + 1}}
    if FAULT == "other protocol":
        return {"message": "ready", "ports": {"ca": port}}
    greeting = b"220 ready\r\n" if FAULT == "no pvAccess" else b"\xca\x02\x41\x02\0\0\0\0"
    greet(port, greeting)
    return {"message": "ready", "ports": {"pva": port}}


def greet(port, greeting):
    """Says the first words to one client after the other, while this lives."""
    import threading

    listener = socket.create_server(("127.0.0.1", port))

    def run():
        while True:
            circuit, _ = listener.accept()
            circuit.sendall(greeting)

    threading.Thread(target=run, daemon=True).start()


def say(message):
    print(json.dumps(message), flush=True)


main()
