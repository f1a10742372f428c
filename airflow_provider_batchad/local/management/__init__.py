"""Simulated Resource Manager: subscriptions, the Batch account, roles and their assignments."""

from __future__ import annotations
