"""Answers of the storage service: errors and lists, which are XML, and the headers of all of them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from email.utils import formatdate
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape, quoteattr

from aiohttp import web

from airflow_provider_batchad.local.call import current_call

if TYPE_CHECKING:
    from airflow_provider_batchad.local.storage.containers import Blob

_XML: Final = '\ufeff<?xml version="1.0" encoding="utf-8"?>'
# "Common REST API error codes" and "Blob service error codes".
_FAULTS: Final = {
    "AuthenticationFailed": (
        403,
        (
            "Server failed to authenticate the request. Make sure the value of Authorization header is "
            "formed correctly including the signature."
        ),
    ),
    "AuthorizationPermissionMismatch": (
        403,
        "This request is not authorized to perform this operation using this permission.",
    ),
    "BlobAlreadyExists": (409, "The specified blob already exists."),
    "BlobNotFound": (404, "The specified blob does not exist."),
    "ConditionNotMet": (412, "The condition specified using HTTP conditional header(s) is not met."),
    "ContainerNotFound": (404, "The specified container does not exist."),
    "InvalidAuthenticationInfo": (
        401,
        (
            "Server failed to authenticate the request. Please refer to the information in the "
            "www-authenticate header."
        ),
    ),
    "InvalidHeaderValue": (400, "The value for one of the HTTP headers is not in the correct format."),
    "InvalidQueryParameterValue": (
        400,
        "Value for one of the query parameters specified in the request URI is invalid.",
    ),
    "InvalidRange": (416, "The range specified is invalid for the current size of the resource."),
    "InvalidUri": (400, "The requested URI does not represent any resource on the server."),
    "MissingRequiredHeader": (400, "An HTTP header that's mandatory for this request is not specified."),
    "NoAuthenticationInformation": (
        401,
        (
            "Server failed to authenticate the request. Please refer to the information in the "
            "www-authenticate header."
        ),
    ),
    "ResourceNotFound": (404, "The specified resource does not exist."),
    "ServerBusy": (503, "The server is currently unable to receive requests. Please retry your request."),
    "UnsupportedHttpVerb": (405, "The resource doesn't support specified Http Verb."),
}


def base_headers() -> dict[str, str]:
    """Those of every answer."""
    return {"x-ms-version": "2024-11-04", "x-ms-request-id": str(uuid.uuid4())}


def blob_headers(blob: Blob) -> dict[str, str]:
    """Those of an answer about one blob."""
    return {
        **base_headers(),
        "ETag": f'"{blob.etag}"',
        "Last-Modified": formatdate(blob.modified, usegmt=True),
        "x-ms-blob-type": "BlockBlob",
    }


def render_error(
    code: str, status: int | None = None, *, text: str | None = None, detail: str = ""
) -> web.Response:
    """An error.

    :param status: where it is not the code's usual one.
    :param text: where it is not the code's usual one.
    :param detail: what was wrong with the request's proof of who sends it.
    """
    current_call().error_code = code
    usual, usual_text = _FAULTS.get(code, (500, "The service refused the request."))
    shown = f"<AuthenticationErrorDetail>{escape(detail)}</AuthenticationErrorDetail>" if detail else ""
    message = escape(usual_text if text is None else text)
    body = f"{_XML}<Error><Code>{escape(code)}</Code><Message>{message}</Message>{shown}</Error>"
    headers = {**base_headers(), "x-ms-error-code": code}
    return web.Response(
        status=usual if status is None else status, text=body, content_type="application/xml", headers=headers
    )


def render_list(
    url: str, container: str, blobs: Sequence[Blob], *, prefix: str, marker: str, next_marker: str, size: int
) -> web.Response:
    """``EnumerationResults`` of List Blobs."""
    shown = "".join(map(_render_blob, blobs))
    head = f"<EnumerationResults ServiceEndpoint={quoteattr(url + '/')} ContainerName={quoteattr(container)}>"
    asked = (
        (f"<Prefix>{_text(prefix)}</Prefix>" if prefix else "")
        + (f"<Marker>{_text(marker)}</Marker>" if marker else "")
        + f"<MaxResults>{size}</MaxResults>"
    )
    tail = f"<NextMarker>{_text(next_marker)}</NextMarker></EnumerationResults>"
    body = f"{_XML}{head}{asked}<Blobs>{shown}</Blobs>{tail}"
    return web.Response(text=body, content_type="application/xml", headers=base_headers())


def _render_blob(blob: Blob) -> str:
    properties = (
        f"<Last-Modified>{formatdate(blob.modified, usegmt=True)}</Last-Modified><Etag>{blob.etag}</Etag>"
        f"<Content-Length>{blob.size}</Content-Length><Content-Type>{_text(blob.content_type)}</Content-Type>"
        "<BlobType>BlockBlob</BlobType>"
    )
    return f"<Blob><Name>{_text(blob.name)}</Name><Properties>{properties}</Properties></Blob>"


def _text(value: str) -> str:
    # XML 1.0 has no control characters, not even escaped ones.
    return escape("".join(one if one >= " " or one in "\t\n" else "\ufffd" for one in value))
