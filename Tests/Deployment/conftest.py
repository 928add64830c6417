"""Starts every part of the service, as it is deployed.

Environment: PENSTOCK_TOPOLOGY (`local-stack` or `compose`), PENSTOCK_REQUESTS (10000). For the first PENSTOCK and
KAFKA_HOME as in deploy/local-stack; for the second images as deploy/test-compose makes them.
"""

import os

import pytest

from topologies import Compose, LocalStack


@pytest.fixture(scope="session")
def stack(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deployment")
    # Servers that may not run as root must reach it.
    for parent in [folder, *folder.parents[:2]]:
        parent.chmod(0o755)
    kind = {"compose": Compose, "local-stack": LocalStack}[os.environ["PENSTOCK_TOPOLOGY"]]
    stack = kind(folder)
    stack.scratch = folder
    try:
        stack.up()
        yield stack
    finally:
        stack.down()
