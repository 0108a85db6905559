"""The page that shows the API, drawn on the server from the OpenAPI document.

Owns the words for a schema. No script, no style of its own making, nothing from elsewhere: the site's
policy for content forbids them. Adds nothing that the document does not say.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from ninja import NinjaAPI
from ninja.openapi.docs import DocsBase

Json = dict[str, Any]
_PREFIX = "#/components/schemas/"


@dataclass(frozen=True)
class Kind:
    """A type in words, with the schemas that it names, for links."""

    words: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """A parameter or a member of an object."""

    name: str
    kind: Kind
    required: bool
    words: str
    where: str = ""


@dataclass(frozen=True)
class Operation:
    id: str
    method: str
    path: str
    summary: str
    words: str
    is_keyed: bool
    parameters: list[Row]
    bodies: list[tuple[str, Kind]]
    body_words: str
    responses: list[tuple[str, str, Kind]] = field(default_factory=list)
    examples: list[tuple[str, str]] = field(default_factory=list)


class Page(DocsBase):
    """Renders `api/docs.html`."""

    def render_page(self, request: HttpRequest, api: NinjaAPI, **kwargs: Any) -> HttpResponse:
        document = api.get_openapi_schema(path_params=kwargs)
        values = {
            "title": document["info"]["title"],
            "paragraphs": [coded(words) for words in document["info"]["description"].split("\n\n")],
            "json_url": self.get_openapi_url(api, kwargs),
            "operations": list(operations(document)),
            "schemas": list(schemas(document)),
        }
        return render(request, "api/docs.html", values)


def operations(document: Json) -> Iterator[Operation]:
    """The operations of an OpenAPI document in its order."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            body = operation.get("requestBody") or {}
            yield Operation(
                id=operation["operationId"],
                method=method.upper(),
                path=path,
                summary=operation.get("summary", ""),
                words=coded(operation.get("description", "")),
                is_keyed=bool(operation.get("security")),
                parameters=[_parameter(row) for row in operation.get("parameters", ())],
                bodies=[(name, kind(row["schema"])) for name, row in body.get("content", {}).items()],
                body_words=body.get("description", ""),
                responses=[
                    (str(code), coded(row.get("description", "")), _content(row))
                    for code, row in sorted(operation["responses"].items(), key=lambda item: str(item[0]))
                ],
                examples=[
                    *((f"Send: {title}", text) for title, text in _examples(body)),
                    *((f"Answer: {title}", text) for title, text in _examples(operation["responses"]["200"])),
                ],
            )


def schemas(document: Json) -> Iterator[tuple[str, str, list[Row]]]:
    """Name, words and members of each named schema, by name."""
    for name, schema in sorted(document["components"]["schemas"].items()):
        required = set(schema.get("required", ()))
        rows = [
            Row(member, kind(part), member in required, coded(part.get("description", "")))
            for member, part in schema.get("properties", {}).items()
        ]
        yield name, coded(schema.get("description", "")), rows


def coded(words: str) -> SafeString:
    """Words with what stands between backticks as code."""
    parts = zip(words.split("`"), cycle(("{}", "<code>{}</code>")), strict=False)
    return format_html_join("", "{}", ((format_html(shape, part),) for part, shape in parts))


def kind(schema: Json) -> Kind:
    """A schema in words: its type, its choices, its bounds."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_PREFIX)
        return Kind(name, (name,))
    if options := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
        kinds = [kind(option) for option in options]
        words = " or ".join(dict.fromkeys(found.words for found in kinds))
        return Kind(words, tuple(dict.fromkeys(name for found in kinds for name in found.names)))
    if "const" in schema:
        return Kind(f"\u201c{schema['const']}\u201d")
    if "enum" in schema:
        return Kind("one of " + ", ".join(str(value) or "\u201c\u201d" for value in schema["enum"]))
    name = schema.get("type", "anything")
    if name == "array":
        inner = kind(schema.get("items", {}))
        most = f", at most {schema['maxItems']}" if "maxItems" in schema else ""
        return Kind(f"list of {inner.words}{most}", inner.names)
    if name == "object" and isinstance(schema.get("additionalProperties"), dict):
        inner = kind(schema["additionalProperties"])
        return Kind(f"object of {inner.words}", inner.names)
    bounds = [schema["format"]] if "format" in schema else []
    bounds += [
        f"{words} {schema[key]}"
        for key, words in (
            ("minimum", "from"),
            ("maximum", "to"),
            ("maxLength", "at most"),
        )
        if key in schema
    ]
    return Kind(f"{name} ({', '.join(bounds)})" if bounds else str(name))


def _parameter(row: Json) -> Row:
    words = row.get("description", row["schema"].get("description", ""))
    return Row(row["name"], kind(row["schema"]), bool(row.get("required")), coded(words), row["in"])


def _examples(part: Json) -> Iterator[tuple[str, str]]:
    """The examples of a body or an answer, by title, those of its first type: the others have the same."""
    content: Json = next(iter(part.get("content", {}).values()), {})
    shown = {"an example": {"value": content["example"]}} if "example" in content else {}
    for title, example in {**shown, **content.get("examples", {})}.items():
        yield title[:1].lower() + title[1:], json.dumps(example["value"], indent=2, ensure_ascii=False)


def _content(response: Json) -> Kind:
    return next((kind(row["schema"]) for row in response.get("content", {}).values()), Kind(""))
