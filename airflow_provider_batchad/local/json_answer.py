"""JSON answers as Microsoft's services send them: without a space between the parts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from aiohttp import web

_dumps = partial(json.dumps, separators=(",", ":"), ensure_ascii=False)


def answer_json(body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """An answer with this body."""
    return web.json_response(body, status=status, headers=headers, dumps=_dumps)
