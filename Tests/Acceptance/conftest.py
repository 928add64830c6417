"""Runs the program as its users do: real servers, foreign clients, only the JSON and the environment change.

Environment: PENSTOCK (the program), PENSTOCK_TEST_POSTGRES, PENSTOCK_TEST_REDIS, PENSTOCK_TEST_KAFKA.
"""

import pytest

from stack import Stack


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: stops a server that other tests share, and so runs beside none of them")


@pytest.fixture
def embedded(tmp_path):
    """The program on nothing but a disk."""
    stack = Stack(tmp_path, servers=False)
    yield stack
    stack.close()


@pytest.fixture
def real(tmp_path):
    """The program on Kafka, PostgreSQL and Redis; a database and topics of the test's own."""
    stack = Stack(tmp_path, servers=True)
    yield stack
    stack.close()


@pytest.fixture(params=["embedded", "real"])
def stack(request):
    """The program on the one and on the other: what holds on both."""
    return request.getfixturevalue(request.param)
