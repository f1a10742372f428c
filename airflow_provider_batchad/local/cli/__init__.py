"""The command ``local``: its arguments, what it starts, and its verbs for one that runs."""

from __future__ import annotations
