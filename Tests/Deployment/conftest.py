"""Starts every part of the service, as it is deployed.

Environment: PENSTOCK_TOPOLOGY (`local-stack` or `compose`), PENSTOCK_REQUESTS (10000). For the first PENSTOCK and
KAFKA_HOME as in deploy/local-stack; for the second images as deploy/test-compose makes them.
"""

import os
import pathlib
import tempfile

import pytest

from topologies import Compose, LocalStack


@pytest.fixture(scope="session")
def stack():
    # Servers that may not run as root must reach it: not below the folder of all tests, which is this user's alone.
    with tempfile.TemporaryDirectory(prefix="penstock-deployment-", ignore_cleanup_errors=True) as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        kind = {"compose": Compose, "local-stack": LocalStack}[os.environ["PENSTOCK_TOPOLOGY"]]
        stack = kind(folder)
        stack.scratch = folder
        try:
            stack.up()
            yield stack
        finally:
            stack.down()
