"""For tests with fixed dates: a service behind a socket, on either engine, whose clock stands still."""

from tests.series.conftest import api, configured, example, services

__all__ = ["api", "configured", "example", "services"]
