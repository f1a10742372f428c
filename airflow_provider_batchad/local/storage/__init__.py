"""The storage account of local Azure: containers, blobs and shared access signatures."""

from __future__ import annotations
