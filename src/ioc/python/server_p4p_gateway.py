"""p4p's pvAccess gateway (`pvagw`), as its documentation starts it: with a file of its clients,
towards the server behind it, and of its servers, towards clients.
"""

import json
import platform

from p4p.gw import main

from epics_gauge.worker import distribution_versions


def forward(configuration):
    """Prints its versions as one line of JSON, and forwards until the process is ended."""
    packages = distribution_versions("p4p", "pvxslibs", "epicscorelibs", "ply")
    print(json.dumps({"python": platform.python_version(), **packages}), flush=True)
    main([configuration])
