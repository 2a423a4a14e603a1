"""One client used by a forked process, or by several threads at once.

Gets and monitors are those of the client itself; here is what surrounds them.
"""

import json
import os
import resource
import select
import signal
import threading
import time
import traceback

# How many threads share the PVs.
THREADS = 4
READ_BYTES = 1 << 16


class Ended(Exception):
    """What was started did not end well: it hangs, or it crashed."""

    def __init__(self, ending, sentence):
        super().__init__(sentence)
        self.ending = ending


def in_child(work, timeout_s):
    """What `work` returns in a forked process, and the CPU time that it used there, in ns.

    An error of `work` is raised here with its words. The child is killed when the time is
    over."""
    before_ns = children_cpu_ns()
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        answer_from_child(work, writer)
    os.close(writer)
    try:
        text = read_until_end(reader, time.monotonic() + timeout_s)
    finally:
        os.close(reader)
    if text is None:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if text is None:
        raise Ended("hang", f"the forked process hangs: no answer after {timeout_s:g} s")
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        raise Ended("crash", f"the forked process was ended by {name}")
    answer = json.loads(text)
    if "error" in answer:
        raise RuntimeError(f"in the forked process: {answer['error']}")
    return answer["result"], children_cpu_ns() - before_ns


def answer_from_child(work, writer):
    """Never returns: what the parent has to do at its end is not the child's."""
    try:
        answer = {"result": work()}
    except BaseException as error:
        traceback.print_exc()
        answer = {"error": f"{type(error).__name__}: {error}"}
    text = json.dumps(answer).encode()
    while text:
        text = text[os.write(writer, text) :]
    os._exit(0)


def read_until_end(reader, until_s):
    """All that comes; None when the time is over before the end."""
    parts = []
    while True:
        ready, _, _ = select.select([reader], [], [], max(0.0, until_s - time.monotonic()))
        if not ready:
            return None
        part = os.read(reader, READ_BYTES)
        if not part:
            return b"".join(parts)
        parts.append(part)


def children_cpu_ns():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return int((used.ru_utime + used.ru_stime) * 1e9)


def in_threads(pvs, work, timeout_s):
    """Calls `work` with a share of the PVs in each of several threads at once; returns what
    it returned for each PV, in the order of `pvs`."""
    shares = [pvs[first::THREADS] for first in range(min(THREADS, len(pvs)))]
    results, errors = {}, []
    start = threading.Barrier(len(shares))

    def run(share):
        try:
            start.wait()
            results.update(zip(share, work(share)))
        except Exception as error:
            traceback.print_exc()
            errors.append(error)

    threads = [threading.Thread(target=run, args=(share,), daemon=True) for share in shares]
    for thread in threads:
        thread.start()
    until_s = time.monotonic() + timeout_s
    for thread in threads:
        thread.join(max(0.0, until_s - time.monotonic()))
    hanging = sum(thread.is_alive() for thread in threads)
    if hanging:
        raise Ended("hang", f"{hanging} of {len(threads)} threads hang after {timeout_s:g} s")
    if errors:
        raise errors[0]
    return [results[pv] for pv in pvs]
