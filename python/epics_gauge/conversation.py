"""A running `epics-gauge ioc --json`: requests to its stdin, answers and log lines from
its stdout, one JSON object a line."""

from __future__ import annotations

import json
import platform
import queue
import re
import subprocess
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import IO, Any, NamedTuple, Optional

# How much of an IOC's log and of the program's own messages is kept.
LOG_LINES = 20_000
MESSAGE_LINES = 100
# What the loader says of a program that needs a newer C or C++ library.
OLD_LIBC = re.compile(r"version `(GLIBC|GLIBCXX)_[\d.]+' not found")
# How long the program has to end after it was asked to; its IOC ends with it.
EXIT_GRACE_S = 10.0


class IocError(Exception):
    """Why there is no IOC, or why it did not do what it was asked to."""


class LogLine(NamedTuple):
    """One line that the IOC printed."""

    unix_s: float
    """When it came, in seconds since the Unix epoch."""
    text: str
    """The line without its end."""


class Conversation:
    """The program and what came from it. Usable from any thread."""

    def __init__(self, command: Sequence[str]) -> None:
        self.log: deque[LogLine] = deque(maxlen=LOG_LINES)
        self.logged = threading.Condition()
        # Why the IOC ended by itself; the program stays and may start it again.
        self.ended: Optional[str] = None
        self.turn = threading.Lock()
        self.answers: queue.SimpleQueue[Optional[dict[str, Any]]] = queue.SimpleQueue()
        self.messages: deque[str] = deque(maxlen=MESSAGE_LINES)
        try:
            self.process = start(command)
        except OSError as error:
            raise IocError(f"cannot start {command[0]}: {error}") from error
        assert self.process.stdout is not None and self.process.stderr is not None
        self.readers = [
            threading.Thread(target=work, args=(pipe,), name="epics-gauge-reader", daemon=True)
            for work, pipe in (
                (self.read_answers, self.process.stdout),
                (self.read_messages, self.process.stderr),
            )
        ]
        for reader in self.readers:
            reader.start()

    def read_answers(self, pipe: IO[bytes]) -> None:
        with pipe:
            for line in pipe:
                self.take(line)
        with self.logged:
            self.logged.notify_all()
        self.answers.put(None)

    def read_messages(self, pipe: IO[bytes]) -> None:
        with pipe:
            for line in pipe:
                self.messages.append(line.decode(errors="replace").rstrip("\n"))

    def take(self, line: bytes) -> None:
        """Sorts one line of the program."""
        try:
            message = json.loads(line)
            event = message["event"]
        except (ValueError, KeyError, TypeError):
            text = line.decode(errors="replace").strip()
            message = {"event": "refused", "error": f"it printed what is no event: {text}"}
            event = "refused"
        if event == "log":
            with self.logged:
                self.log.append(LogLine(message["unix_ms"] / 1000, message["text"]))
                self.logged.notify_all()
        elif event == "ended":
            self.ended = message["error"]
        else:
            self.answers.put(message)

    def ready(self, timeout_s: float) -> dict[str, Any]:
        """The first event: what the IOC is. Raises IocError when it cannot start."""
        message = self.next_answer("be ready", timeout_s)
        if message["event"] != "ready":
            raise IocError(message.get("error") or f"an unknown event came first: {message}")
        return message

    def ask(self, request: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
        """Sends a request and waits for its answer. Raises IocError with the program's
        own words when it refuses, or when there is no IOC any more; `restart` then makes
        one again."""
        with self.turn:
            if request["request"] == "restart":
                self.ended = None
            elif self.ended is not None:
                raise IocError(self.ended)
            try:
                self.send(request)
            # A pipe that is broken, and one that `close` has closed.
            except (OSError, ValueError):
                raise IocError(f"epics-gauge has ended{self.how_it_ended()}") from None
            message = self.next_answer(f"do {request['request']!r}", timeout_s)
        if message["event"] != "answer":
            raise IocError(message.get("error") or f"an unknown event came: {message}")
        return message

    def send(self, request: Mapping[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()

    def next_answer(self, what: str, timeout_s: float) -> dict[str, Any]:
        try:
            message = self.answers.get(timeout=timeout_s)
        except queue.Empty:
            # Its answer may come later, and would be taken for that of another request.
            self.close()
            raise IocError(
                f"the IOC did not {what} within {timeout_s:g} s and was ended; its log ends "
                f"with:\n{self.log_end()}"
            ) from None
        if message is None:
            self.answers.put(None)
            raise IocError(f"epics-gauge has ended{self.how_it_ended()}")
        return message

    def log_end(self) -> str:
        """The last lines of the log."""
        return "\n".join(line.text for line in list(self.log)[-20:]) or "(nothing)"

    def how_it_ended(self) -> str:
        """The exit code and what it printed on stderr."""
        try:
            code = self.process.wait(timeout=EXIT_GRACE_S)
        except subprocess.TimeoutExpired:
            return ", it seems; it closed its output"
        self.readers[1].join(timeout=1)
        how = f"with exit code {code}" if code >= 0 else f"by signal {-code}"
        return f" {how}: " + ("\n".join(self.messages) or "it printed nothing") + self.advice()

    def advice(self) -> str:
        """What to do where the system could not even load the program."""
        if not any(OLD_LIBC.search(line) for line in self.messages):
            return ""
        return (
            f"\nThe system's C library ({' '.join(platform.libc_ver())}) is older than the one "
            "that this wheel was made for. Install it from source, `pip install --no-binary "
            "epics-gauge epics-gauge` with Rust and a C++ compiler, or use a newer system"
        )

    def wait_for_log(self, text: str, timeout_s: float) -> LogLine:
        """The first line with `text`, which may have come before."""
        end_s = time.monotonic() + timeout_s
        with self.logged:
            while True:
                for line in self.log:
                    if text in line.text:
                        return line
                left_s = end_s - time.monotonic()
                if left_s <= 0 or self.process.poll() is not None:
                    break
                self.logged.wait(min(left_s, 0.5))
        raise IocError(
            f"no line of the IOC's log had {text!r} within {timeout_s:g} s; it ends with:\n"
            f"{self.log_end()}"
        )

    def close(self) -> None:
        """Ends the program and with it the IOC; no error when it has ended already."""
        end(self.process)
        for reader in self.readers:
            reader.join(timeout=EXIT_GRACE_S)


def start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    # In a session of its own: Ctrl-C goes to the caller alone, which ends it in order.
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """Asks the program to end, then makes it end."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=EXIT_GRACE_S)
        except subprocess.TimeoutExpired:
            # Its IOC ends with it all the same.
            process.kill()
            process.wait()
    if process.stdin is not None:
        try:
            process.stdin.close()
        except OSError:
            pass
