"""Starts one Python server.

    python3 -I -S server_main.py --site FOLDER SERVER [CONFIGURATION]

FOLDER is where its packages are installed: those of `vendor/python.lock`, or a package that
the user chose, with what that requires. With -I -S nothing of the user's own Python leaks in.
With a CONFIGURATION it is a gateway, which forwards what another server has.
"""

import argparse
import importlib
import os
import sys

# Where the package epics_gauge is: beside this file where the program has unpacked both,
# else at the root of the source.
PACKAGES = ("python", "../../../python")


def main():
    parser = argparse.ArgumentParser(description="one Python server")
    parser.add_argument("--site", required=True, help="folder with its packages")
    parser.add_argument("server", help="NAME, whose code is server_NAME.py beside this file")
    parser.add_argument("configuration", nargs="?", help="file for a gateway")
    arguments = parser.parse_args()
    here = os.path.dirname(os.path.abspath(__file__))
    module = "server_" + arguments.server.replace("-", "_")
    if not os.path.exists(os.path.join(here, module + ".py")):
        parser.error(f"there is no server {arguments.server!r}: {here} has no {module}.py")
    packages = [os.path.join(here, folder) for folder in PACKAGES]
    sys.path[:0] = [os.path.abspath(arguments.site), here, *packages]

    if arguments.configuration is not None:
        importlib.import_module(module).forward(arguments.configuration)
        return

    from epics_gauge.server import serve

    serve(lambda: importlib.import_module(module).Server, arguments.server)


if __name__ == "__main__":
    main()
