"""Simulated Microsoft Entra ID: directory, sign-ins, tokens, and the endpoints that give them."""

from __future__ import annotations
