"""`/webhooks`: what was sent to those who asked to be told, and what it is signed with."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from regrow.api.access import Caller
from regrow.api.bodies.jobs import DeliveryBody, DeliveryList, WebhookSecret
from regrow.api.dependencies import ServiceDependency
from regrow.api.responses import problems
from regrow.core.errors import DeliveryNotFound
from regrow.core.webhooks.model import DeliveryDocument, is_delivery_id

router = APIRouter(prefix="/webhooks", tags=["webhooks"])

NOT_FOUND = problems(404, 503)
CURSOR = "^[A-Za-z0-9_-]{1,100}$"


def _delivery(
    id: Annotated[str, Path(description="The delivery's id", examples=["msg_" + "0" * 32 + "_1795395600000"])],
    principal: Caller,
    service: ServiceDependency,
) -> DeliveryDocument:
    """Another owner's delivery is answered as an unknown one."""
    unknown = DeliveryNotFound(f"there is no webhook delivery {id[:100]}")
    if not is_delivery_id(id):
        raise unknown
    delivery = service.deliveries.get(id)
    if not principal.sees(delivery.owner):
        raise unknown
    return delivery


Delivery = Annotated[DeliveryDocument, Depends(_delivery)]


@router.get("/deliveries", responses=problems(422, 503))
def list_deliveries(
    service: ServiceDependency,
    principal: Caller,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(description="`next` of the page before", pattern=CURSOR)] = None,
) -> DeliveryList:
    """Your webhooks' deliveries of the last week, newest first, with every attempt; for an admin, everybody's."""
    owner = None if principal.sees_all else principal.owner
    found = service.deliveries.newest(owner, limit + 1, cursor)
    page = found[:limit]
    more = len(found) > limit
    return DeliveryList(deliveries=[DeliveryBody.of(each) for each in page], next=page[-1].id if more else None)


@router.get("/deliveries/{id}", responses=NOT_FOUND)
def get_delivery(delivery: Delivery) -> DeliveryBody:
    """One delivery."""
    return DeliveryBody.of(delivery)


@router.post("/deliveries/{id}/replay", status_code=HTTPStatus.ACCEPTED, responses=NOT_FOUND)
def replay_delivery(delivery: Delivery, service: ServiceDependency) -> DeliveryBody:
    """Send a delivery again, now: the same body with the same `webhook-id`, and a new time and signature."""
    return DeliveryBody.of(service.deliveries.replay(delivery.id))


@router.get("/secret", responses=problems(503))
def get_secret(service: ServiceDependency, principal: Caller, response: Response) -> WebhookSecret:
    """What your webhooks are signed with: HMAC-SHA256, as the Standard Webhooks specification says."""
    response.headers["Cache-Control"] = "no-store"
    return WebhookSecret(secret=service.deliveries.secrets.current(principal.owner))


@router.post("/secret/rotate", responses=problems(503))
def rotate_secret(service: ServiceDependency, principal: Caller, response: Response) -> WebhookSecret:
    """Replace your secret. For a day, deliveries are signed with the old one too, so that no receiver refuses any."""
    response.headers["Cache-Control"] = "no-store"
    return WebhookSecret(secret=service.deliveries.secrets.rotate(principal.owner))
