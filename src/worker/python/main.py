"""Starts the worker of one Python approach.

    python3 -I -S main.py --site FOLDER [--chosen FOLDER PACKAGE] APPROACH

The first FOLDER is where `vendor/python.lock` is installed, the second one where a
PACKAGE is installed that goes before the one of that name there. With -I -S nothing of the
user's own Python leaks in.
"""

import argparse
import importlib
import os
import sys

# Where the package epics_gauge is: beside this file where the program has unpacked both,
# else at the root of the source.
PACKAGES = ("python", "../../../python")


def main():
    parser = argparse.ArgumentParser(description="worker of one Python approach")
    parser.add_argument("--site", required=True, help="folder with the pinned packages")
    parser.add_argument("--chosen", nargs=2, metavar=("FOLDER", "PACKAGE"))
    parser.add_argument("approach", help="NAME, whose code is client_NAME.py beside this file")
    arguments = parser.parse_args()
    here = os.path.dirname(os.path.abspath(__file__))
    module = "client_" + arguments.approach.replace("-", "_").replace("+", "_")
    if not os.path.exists(os.path.join(here, module + ".py")):
        parser.error(f"there is no approach {arguments.approach!r}: {here} has no {module}.py")
    sites, package = [arguments.site], None
    if arguments.chosen is not None:
        folder, package = arguments.chosen
        sites.insert(0, folder)
    packages = [os.path.join(here, folder) for folder in PACKAGES]
    sys.path[:0] = [*map(os.path.abspath, sites), here, *packages]

    import chosen_version
    from epics_gauge.worker import serve

    serve(lambda: client(module, package, chosen_version), arguments.approach)


def client(module, chosen_package, chosen_version):
    """Imports the library and the class of its client."""
    try:
        found = importlib.import_module(module).Client
    except Exception as error:
        if chosen_package is None:
            raise
        raise RuntimeError(chosen_version.misfit(chosen_package, error)) from error
    found.warnings = (*found.warnings, *chosen_version.warnings(chosen_package))
    return found


if __name__ == "__main__":
    main()
