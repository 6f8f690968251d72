import pytest

from gestalt import Server


@pytest.fixture(scope="module")
def server():
    server = Server()
    yield server
    server.stop()
