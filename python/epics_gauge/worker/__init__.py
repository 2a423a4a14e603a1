"""What a worker of epics-gauge is made of: the loop, its clocks, the log of updates and the
injected slowdowns.

    from epics_gauge.worker import Client, serve

    import my_library

    class Mine(Client):
        packages = ("my-library",)

        def connect(self, mode): ...

        def get(self, mode, pvs): ...

    serve(Mine)

Import this before the library that is measured: the stage `import` begins here. The
client of a library with coroutines is an `epics_gauge.worker.asyncio_client.AsyncioClient`.
`docs/adding-an-approach.md` has a whole example.
"""

from .loop import (
    Client,
    Clock,
    Deadline,
    Job,
    Pending,
    StageError,
    counted,
    distribution_versions,
    groups,
    serve,
    stages_without,
    unix_ns,
)

__all__ = [
    "Client",
    "Clock",
    "Deadline",
    "Job",
    "Pending",
    "StageError",
    "counted",
    "distribution_versions",
    "groups",
    "serve",
    "stages_without",
    "unix_ns",
]
