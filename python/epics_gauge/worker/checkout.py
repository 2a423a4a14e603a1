"""Which state of a repository is measured, for the versions of an approach."""

import subprocess


def commit(folder):
    """The commit that is checked out in a folder, in short, and whether files were changed
    since."""
    asked = ["git", "-C", str(folder), "describe", "--always", "--dirty=, changed", "--abbrev=9"]
    try:
        ran = subprocess.run(asked, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    except OSError as error:
        return f"unknown: {error}"
    # git's own error names a folder that is no repository.
    return ran.stdout.strip() or f"unknown: {ran.stderr.strip()}"
