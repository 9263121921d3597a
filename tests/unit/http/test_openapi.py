"""The OpenAPI document: valid, and of everything that is asked."""

from __future__ import annotations

from typing import Any

from milter.http.catalogue import OF_SUPERVISOR, OF_WORKERS
from milter.http.endpoint import Access
from milter.http.openapi import document

ENDPOINTS = (*OF_SUPERVISOR, *OF_WORKERS)


def operations() -> dict[tuple[str, str], dict[str, Any]]:
    paths = document(ENDPOINTS, "1.2.3")["paths"]
    return {
        (path, method): told for path, methods in paths.items() for method, told in methods.items()
    }


def test_document_tells_of_every_endpoint() -> None:
    told = set(operations())
    assert told == {(one.path, one.method.lower()) for one in ENDPOINTS}


def test_operations_have_names_of_their_own() -> None:
    names = [told["operationId"] for told in operations().values()]
    assert len(set(names)) == len(names)


def test_what_needs_the_token_says_so_and_how_it_is_refused() -> None:
    needing = {(one.path, one.method.lower()) for one in ENDPOINTS if one.access is Access.TOKEN}
    told = operations()
    assert {key for key, one in told.items() if one["security"] == [{"token": []}]} == needing
    assert all("401" in told[key]["responses"] for key in needing)


def test_names_in_a_path_are_parameters() -> None:
    for (path, _), told in operations().items():
        in_path = {one["name"] for one in told["parameters"] if one["in"] == "path"}
        assert in_path == {piece[1:-1] for piece in path.split("/") if piece.startswith("{")}
