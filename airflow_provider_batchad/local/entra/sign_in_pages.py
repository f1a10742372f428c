"""The pages that a person sees: plain HTML without a script but the one that sends a form back by itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import TYPE_CHECKING

from aiohttp import web

from airflow_provider_batchad.local.entra.errors import NO_STORE, SERVER_HEADERS

if TYPE_CHECKING:
    from airflow_provider_batchad.local.entra.directory import Person

_FRAME = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title} - Local Azure</title>
<style>body{{font-family:sans-serif;max-width:32rem;margin:4rem auto}}
button{{display:block;margin:.5rem 0}}</style>
</head><body><h1>{title}</h1>
{body}
</body></html>
"""


def show_page(title: str, body: str, *, status: int = 200) -> web.Response:
    """A page of local Azure; ``body`` is HTML."""
    return web.Response(
        text=_FRAME.format(title=escape(title), body=body),
        status=status,
        content_type="text/html",
        headers={**SERVER_HEADERS, **NO_STORE},
    )


def show_choice(people: Iterable[Person], *, application: str, user_code: str | None = None) -> web.Response:
    """Who signs in: a button for each person, and one that declines."""
    buttons = "".join(
        f'<button name="person" value="{escape(one.principal.name)}">{escape(one.display_name)} '
        f"({escape(one.principal.name)})</button>\n"
        for one in people
    )
    hidden = _hidden({} if user_code is None else {"user_code": user_code})
    decline = '<button name="decline" value="true">Decline</button>'
    text = f"<p>{escape(application)} wants to act for you.</p>"
    return show_page("Pick an account", f'{text}<form method="post">{hidden}{buttons}{decline}</form>')


def show_code_form() -> web.Response:
    """Where the code that a device shows is typed in."""
    field = '<input name="user_code" autofocus autocomplete="off">'
    return show_page("Enter code", f'<form method="get">{field}<button>Next</button></form>')


def send_back(redirect_uri: str, parameters: Mapping[str, str]) -> web.Response:
    """``response_mode=form_post``: a form that the browser sends on at once."""
    fields = f"{_hidden(parameters)}<button>Continue</button>"
    form = f'<form method="post" action="{escape(redirect_uri)}">{fields}</form>'
    return show_page("Working", f"{form}<script>document.forms[0].submit()</script>")


def _hidden(parameters: Mapping[str, str]) -> str:
    return "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">\n'
        for name, value in parameters.items()
    )
