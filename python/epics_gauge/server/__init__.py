"""What a server of epics-gauge is made of: the loop, the pace of updates, and the values
that count them.

    from epics_gauge.server import Server, serve

    class Mine(Server):
        packages = ("my-library",)

        def serve(self, identity): ...

    serve(Mine)

The server of a library that is updated from an event loop is an
`epics_gauge.server.asyncio_server.AsyncioServer`. `docs/adding-a-server.md` has a whole
example.
"""

from .loop import DEADLINE_S, UPDATE_FACTOR, Pace, Server, ServerError, pv_name, serve, value_of

__all__ = [
    "DEADLINE_S",
    "UPDATE_FACTOR",
    "Pace",
    "Server",
    "ServerError",
    "pv_name",
    "serve",
    "value_of",
]
