"""What a machine in Azure has by itself: managed identities, and a projected token."""

from __future__ import annotations
