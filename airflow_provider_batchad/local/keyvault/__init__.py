"""Simulated Key Vault: what it holds, who may read it, and its REST interface."""

from __future__ import annotations
