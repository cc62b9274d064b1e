"""Unknown query parameters and coded bodies: refused, with what was probably meant, rather than ignored.

One dependency of the whole application, so that no route can forget it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches
from http import HTTPStatus

from fastapi import HTTPException, Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel

MEANT = {
    "status": ("state",),
    "width": ("scale", "crop"),
    "height": ("scale", "crop"),
    "size": ("limit", "scale", "max_bytes"),
    "count": ("limit",),
    "per_page": ("limit",),
    "zoom": ("scale",),
    "box": ("crop",),
    "frame": ("step",),
    "page": ("cursor",),
    "offset": ("cursor",),
    "after": ("cursor",),
    "next": ("cursor",),
    "format": ("kind",),
    "type": ("kind",),
    "bytes": ("max_bytes",),
    "callback": ("webhook",),
}
"""What to suggest for names that other services use: the parameters of ours that do the same."""


async def refuse_what_is_not_heard(request: Request) -> None:
    """Raises RequestValidationError for query parameters that the route has not, HTTPException for coded bodies."""
    route = request.scope["route"]
    if request.query_params:
        refuse_unknown("query", request.query_params, _query_names(route.dependant))
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("", "identity") and "requestBody" in (route.openapi_extra or {}):
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"the body is said to be {coding[:40]!r}: send it as it is, without Content-Encoding",
            {"Accept-Encoding": "identity"},
        )


def refuse_unknown(place: str, names: Iterable[str], known: Collection[str]) -> None:
    """Raises RequestValidationError where a name is none of those known, with one error for each."""
    unknown = dict.fromkeys(name for name in names if name not in known)
    if unknown:
        raise RequestValidationError([{"loc": (place, name), "msg": _sentence(name, known)} for name in unknown])


def _query_names(dependant: Dependant) -> set[str]:
    """The names of all query parameters of a route and its dependencies; each field of a model is one."""
    names = set[str]()
    for field in dependant.query_params:
        model = field.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            names |= set(model.model_fields)
        else:
            names.add(field.alias)
    return names.union(*map(_query_names, dependant.dependencies))


def _sentence(name: str, known: Collection[str]) -> str:
    shown = name[:50]
    meant = [each for each in MEANT.get(name.lower(), ()) if each in known]
    meant = meant or get_close_matches(name.lower()[:50], known, n=1)
    if meant:
        return f"there is no parameter {shown}: did you mean {' or '.join(meant)}?"
    return f"there is no parameter {shown}: " + (
        f"there are {', '.join(sorted(known))}" if known else "this takes none"
    )
