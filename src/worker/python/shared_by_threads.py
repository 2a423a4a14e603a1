"""A bulk connect whose PVs are shared by threads, as some libraries document it."""


def connect(client, count, thread_of):
    """Fills `client.pvs` by its method `connect_some(share, deadline)` in `count` threads.

    `thread_of(target=…, args=…)` makes a thread, as the library wants them made.
    """
    missing = unconnected(client, count, thread_of)
    if missing:
        raise client.job.unfinished("connected", missing, len(client.job.pvs))


def unconnected(client, count, thread_of):
    """Does the same, and returns the PVs that are not connected then."""
    deadline = client.job.deadline()
    total = len(client.job.pvs)
    client.pvs = [None] * total
    shares = [range(first, total, count) for first in range(min(count, total))]
    threads = [thread_of(target=client.connect_some, args=(some, deadline)) for some in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [index for index in range(total) if not client.is_connected(index)]
