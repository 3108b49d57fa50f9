"""The API in this process, as in `tests/web`, but on either engine."""

from __future__ import annotations

from tests.web.conftest import api, configured, example, services

__all__ = ["api", "configured", "example", "services"]
