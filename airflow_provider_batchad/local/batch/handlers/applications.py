"""Operations on the account's applications, and the images that it supports."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_provider_batchad.local.batch.applications import SUPPORTED_IMAGES
from airflow_provider_batchad.local.batch.errors import BatchError
from airflow_provider_batchad.local.batch.listing import IMAGE_FILTER
from airflow_provider_batchad.local.batch.paging import take_page

if TYPE_CHECKING:
    from aiohttp import web

    from airflow_provider_batchad.local.batch.exchange import Exchange
    from airflow_provider_batchad.local.config import BatchApplicationConfig


async def list_applications(exchange: Exchange) -> web.StreamResponse:
    """``GET /applications``."""
    page = take_page(exchange.account.applications.walk, exchange.query, None)
    values = ",".join(json.dumps(_show(application)) for application in page.entities)
    return exchange.listing("listapplicationsummariesresponses", values, page)


async def get_application(exchange: Exchange) -> web.StreamResponse:
    """``GET /applications/{applicationId}``."""
    application = exchange.account.applications.get(exchange.request.match_info["application_id"])
    if application is None:
        raise BatchError("ApplicationNotFound")
    return exchange.element("getapplicationsummaryresponse", _show(application))


async def list_supported_images(exchange: Exchange) -> web.StreamResponse:
    """``GET /supportedimages``."""
    images = [(f"{number:04}", image) for number, image in enumerate(SUPPORTED_IMAGES)]
    page = take_page(
        lambda after: (pair for pair in images if pair[0] > after),
        exchange.query,
        exchange.query.compile_filter(IMAGE_FILTER),
    )
    values = ",".join(json.dumps(image.show()) for image in page.entities)
    return exchange.listing("supportedimages", values, page)


def _show(application: BatchApplicationConfig) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": application.id}
    if application.display_name is not None:
        shown["displayName"] = application.display_name
    return shown | {"versions": sorted(application.packages)}
