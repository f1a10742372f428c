from __future__ import annotations

from tests.unit.watched_account import account, many

__all__ = ["account", "many"]
