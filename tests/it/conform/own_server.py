"""A user's own server of conformance checks: records of p4p by the package epics_gauge.server.

With DIES in its environment it dies when it is asked for a command.
"""

import os
import time

from epics_gauge.server import Server, serve
from epics_gauge.server.database import Shell, records_of
from p4p.nt import NTScalar
from p4p.server import Server as PvaServer
from p4p.server.thread import SharedPV


class Mine(Server):
    packages = ("p4p",)

    def serve(self, identity):
        held = records_of(self.database, ("ao",), ("VAL", "PINI"))
        pv = {name: self.pv(record.initial()) for name, record in held.items()}
        self.commands = Shell(
            held, lambda record: pv[record.name].current(),
            lambda record, value: pv[record.name].post(value, timestamp=time.time()),
        )
        self.server = PvaServer(providers=[{identity: self.pv(1.0), **pv}])
        return {"pva": int(self.server.conf()["EPICS_PVAS_SERVER_PORT"])}

    def pv(self, value):
        return SharedPV(nt=NTScalar("d"), initial=value, timestamp=time.time())

    def shell(self, command):
        if "DIES" in os.environ:
            os._exit(3)
        return self.commands.run(command)


serve(Mine)
