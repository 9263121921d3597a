"""The OpenAPI document of the port, made of the endpoints as they are declared (OpenAPI 3.1).

It is served at `/v1/openapi.json`, and `make docs` writes it to `docs/openapi.json`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from milter.http.endpoint import FAULT, TEXT, Access, Answer, Endpoint
from milter.http.routing import Route

if TYPE_CHECKING:
    from collections.abc import Iterable

    from milter.http.endpoint import Parameter

Object = dict[str, Any]

OPENAPI: Final = Endpoint(
    "GET",
    "/v1/openapi.json",
    Access.OPEN,
    "This document.",
    {200: Answer("An OpenAPI 3.1 document", {"type": "object"})},
)
_BEARER: Final[Object] = {"token": []}
# What may come of any question; 503 and 429 say when to ask again.
_ANYWHERE: Final = {
    429: Answer("Too many requests from this address", FAULT),
    500: Answer("A fault of ours", FAULT),
    503: Answer("Not now", FAULT),
}
_REFUSED: Final = Answer("The token is missing or wrong", FAULT)
_AGAIN: Final = (429, 503)
_WORD: Final = re.compile(r"[a-zA-Z0-9]+")


def document(endpoints: Iterable[Endpoint], version: str) -> Object:
    """Return the document.

    Args:
        endpoints: What it tells of.
        version: Of Gatepost.
    """
    paths: Object = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Gatepost",
            "summary": "Judges mail and learns what it is",
            "version": version,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The content of `http.token_file`. A unix socket counts as one.",
                }
            }
        },
    }


def openapi_route(shown: Object) -> Route:
    """Return the route of `GET /v1/openapi.json`; `shown` is the document."""

    async def handle(_request: web.Request) -> web.StreamResponse:
        return web.json_response(shown)

    return Route(OPENAPI, handle)


def _operation(endpoint: Endpoint) -> Object:
    told: Object = {
        "operationId": "_".join([endpoint.method.lower(), *_WORD.findall(endpoint.path)]),
        "summary": endpoint.words,
        "parameters": [_parameter(one) for one in endpoint.parameters],
        "responses": {
            str(status): _response(status, answer) for status, answer in _answers(endpoint).items()
        },
        "security": _security(endpoint.access),
    }
    if endpoint.takes_message:
        told["requestBody"] = {
            "required": True,
            "description": "The message, plain or compressed as Content-Encoding says",
            "content": {"message/rfc822": {}, "application/octet-stream": {}},
        }
    return told


def _parameter(parameter: Parameter) -> Object:
    schema: Object = dict(parameter.schema)
    if parameter.repeated:
        schema = {"type": "array", "items": schema}
    return {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.words,
        "required": parameter.required or parameter.place == "path",
        "schema": schema,
    }


def _answers(endpoint: Endpoint) -> dict[int, Answer]:
    refused = {} if endpoint.access is Access.OPEN else {401: _REFUSED}
    return dict(sorted({**_ANYWHERE, **refused, **endpoint.answers}.items()))


def _response(status: int, answer: Answer) -> Object:
    told: Object = {"description": answer.words}
    if answer.media_type:
        content = {answer.media_type: {"schema": answer.schema}}
        told["content"] = content | {name: {"schema": TEXT} for name in answer.text_types}
    if status in _AGAIN and answer.schema is FAULT:
        told["headers"] = {"Retry-After": {"description": "Seconds", "schema": {"type": "string"}}}
    if status == 401:
        told["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    return told


def _security(access: Access) -> list[Object]:
    if access is Access.OPEN:
        return []
    # This machine needs none for scanning.
    return [_BEARER] if access is Access.TOKEN else [{}, _BEARER]
