"""What the two servers of pythonSoftIOC share: starting the IOC, and asking
EPICS Base inside it, which no function of the library returns."""

import ctypes
import os
import re
import tempfile

from epicscorelibs.ioc import Com, dbCore
from epics_gauge.worker import distribution_versions
from softioc import builder, fields, imports, softioc

LIBC = ctypes.CDLL(None)
LIBC.fflush.argtypes = (ctypes.c_void_p,)
LIBC.getenv.restype = ctypes.c_char_p
SHELL = Com["iocshCmd"]
SHELL.argtypes = (ctypes.c_char_p,)
LIST_EVENTS = dbCore["dbel"]
LIST_EVENTS.argtypes = (ctypes.c_char_p, ctypes.c_uint)


class QueueStatus(ctypes.Structure):
    """`callbackQueueStats` of Base's callback.h: of queues low, medium, high."""

    _fields_ = [
        ("size", ctypes.c_int),
        ("used", ctypes.c_int * 3),
        ("most_used", ctypes.c_int * 3),
        ("overflows", ctypes.c_int * 3),
    ]


QUEUE_STATUS = dbCore["callbackQueueStatus"]
QUEUE_STATUS.argtypes = (ctypes.c_int, ctypes.POINTER(QueueStatus))


def versions():
    return distribution_versions("softioc", "epicscorelibs", "epicsdbbuilder", "pvxslibs", "numpy")


def start(dispatcher):
    """Loads what was built, starts the IOC and returns its ports."""
    builder.LoadDatabase()
    softioc.iocInit(dispatcher)
    # Base reports its port in a variable, which Python's own copy does not have.
    ca = LIBC.getenv(b"RSRV_SERVER_PORT")
    pva = re.search(r"^EPICS_PVAS_SERVER_PORT=(\d+)$", printed(lambda: SHELL(b"pvxsr 0")), re.M)
    return {"ca": int(ca), "pva": int(pva[1])}


def load(records, access_rules):
    """Loads a database into the IOC that is not started yet, and the rules for it."""
    dbCore["iocshRegisterCommon"]()
    with tempfile.NamedTemporaryFile("w", suffix=".db") as file:
        file.write(records)
        file.flush()
        softioc.dbLoadDatabase(file.name)
    if access_rules is not None:
        shell(f'asSetFilename("{access_rules}")')


def shell(command):
    """What a command of the IOC's shell prints."""
    return printed(lambda: SHELL(command.encode("utf-8", "surrogateescape")))


def printed(work):
    """What EPICS Base prints on stdout while `work` runs."""
    with tempfile.TemporaryFile() as file:
        LIBC.fflush(None)
        stdout = os.dup(1)
        os.dup2(file.fileno(), 1)
        try:
            work()
            LIBC.fflush(None)
        finally:
            os.dup2(stdout, 1)
            os.close(stdout)
        file.seek(0)
        return file.read().decode(errors="replace")


def field(name):
    """The number in a field, straight from the record."""
    value = ctypes.c_double()
    imports.db_get_field(name, fields.DBF_DOUBLE, ctypes.addressof(value), 1)
    return value.value


def subscriptions(pvs):
    """Subscriptions to values, and the updates that they put over older ones."""
    text = printed(lambda: [LIST_EVENTS(pv.encode(), 3) for pv in pvs])
    # A monitor over pvAccess has a second one, to properties.
    lines = [line for line in text.splitlines() if " { VALUE" in line]
    merged = [re.search(r"discarded by replacement=(\d+)", line) for line in lines]
    return {
        "subscriptions": len(lines),
        "merged_updates": sum(int(found[1]) for found in merged if found),
    }


def callback_overflows():
    """Requests that the callback queues had no room for."""
    status = QueueStatus()
    QUEUE_STATUS(0, ctypes.byref(status))
    return sum(status.overflows)
