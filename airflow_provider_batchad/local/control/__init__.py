"""The control port: what a test or a person asks of local Azure itself."""

from __future__ import annotations
