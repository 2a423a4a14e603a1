"""Which libca a Python client has really loaded."""

import ctypes
import os
import re
import sys


def versions(library):
    """Version and file of the libca that `library`, a ctypes handle, is or is
    linked to, and the release of EPICS Base that its libCom was built from."""
    library.ca_version.restype = ctypes.c_char_p
    found = {
        "libca": library.ca_version().decode(),
        "libca-file": relative_to_site(file_of(library.ca_version)),
    }
    # Any function of libCom does, to find its file.
    release = base_release(file_of(library.osiSockRelease))
    if release:
        found["epics-base"] = release
    return found


class DlInfo(ctypes.Structure):
    _fields_ = [
        ("dli_fname", ctypes.c_char_p),
        ("dli_fbase", ctypes.c_void_p),
        ("dli_sname", ctypes.c_char_p),
        ("dli_saddr", ctypes.c_void_p),
    ]


def file_of(function):
    """The file of the shared library that a C function was loaded from."""
    dladdr = ctypes.CDLL(None).dladdr
    dladdr.argtypes = [ctypes.c_void_p, ctypes.POINTER(DlInfo)]
    info = DlInfo()
    if not dladdr(ctypes.cast(function, ctypes.c_void_p), ctypes.byref(info)):
        raise OSError("dladdr does not know where libca was loaded from")
    return os.path.realpath(os.fsdecode(info.dli_fname))


def relative_to_site(path):
    site = os.path.realpath(sys.path[0])
    return os.path.relpath(path, site) if path.startswith(site + os.sep) else path


def base_release(libcom):
    """libCom has no call that returns its release, only one that prints it."""
    with open(libcom, "rb") as file:
        match = re.search(rb"EPICS R?(\d[\w.-]*)\0", file.read())
    return match and match[1].decode()
