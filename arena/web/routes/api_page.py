"""`/api/docs`: the API's documentation as a plain page, rendered from its OpenAPI document.

`/api` redirects to it.
"""

import json
from html import escape
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse, RedirectResponse

from arena.web.rendering.theme import DARK, LIGHT

OPENAPI_URL = "/api/openapi.json"

STYLE = """
:root { color-scheme: light dark; LIGHT }
@media (prefers-color-scheme: dark) { :root { DARK } }
body { max-width: 52rem; margin: 3rem auto; padding: 0 1.2rem; color: var(--ink);
       background: var(--paper); font: 16px/1.55 system-ui, sans-serif }
a { color: var(--accent) } h1 { font: 600 2rem/1.2 Georgia, serif }
h2 { margin: 2.2rem 0 .4rem; padding-top: 1.2rem; border-top: 1px solid var(--line);
     font-size: 1.05rem }
code, pre { font: 14px/1.5 ui-monospace, monospace } h2 b { color: var(--accent) }
pre { overflow-x: auto; padding: .8rem 1rem; border: 1px solid var(--line); border-radius: 8px }
td, th { padding: .2rem 1rem .2rem 0; text-align: left; vertical-align: top }
summary { cursor: pointer }
"""


def _style() -> str:
    return STYLE.replace("LIGHT", LIGHT.as_css()).replace("DARK", DARK.as_css())


def _resolve(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    return dict(document.get("components", {}).get("schemas", {}).get(name, schema))


def _parameters(operation: dict[str, Any]) -> str:
    rows = [
        f"<tr><td><code>{escape(item['name'])}</code></td><td>{escape(item['in'])}"
        f"{', required' if item.get('required') else ''}</td>"
        f"<td>{escape(' | '.join(map(str, item['schema'].get('enum', []))))}</td></tr>"
        for item in operation.get("parameters", [])
    ]
    return f"<table>{''.join(rows)}</table>" if rows else ""


def _schema(title: str, content: dict[str, Any], document: dict[str, Any]) -> str:
    schema = content.get("application/json", {}).get("schema")
    if not schema:
        return ""
    text = json.dumps(_resolve(schema, document), indent=1)
    return f"<details><summary>{title}</summary><pre>{escape(text)}</pre></details>"


def _operation(method: str, path: str, operation: dict[str, Any], document: dict[str, Any]) -> str:
    responses = {
        status: response for status, response in operation["responses"].items() if status != "422"
    }
    return "".join(
        (
            f"<h2><code><b>{method.upper()}</b> {escape(path)}</code></h2>",
            f"<p>{escape(operation.get('description', ''))}</p>",
            _parameters(operation),
            _schema("Body", operation.get("requestBody", {}).get("content", {}), document),
            *(
                _schema(f"Response {status}", response.get("content", {}), document)
                for status, response in responses.items()
            ),
        )
    )


def render_page(document: dict[str, Any]) -> str:
    """Render an OpenAPI document as HTML."""
    operations = "".join(
        _operation(method, path, operation, document)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        f"<title>{escape(document['info']['title'])}</title><style>{_style()}</style>"
        f"<h1>{escape(document['info']['title'])}</h1>"
        f"<p>{escape(document['info'].get('description', ''))}</p>"
        f"<p>Machine-readable: <a href='./openapi.json'>{OPENAPI_URL}</a> (OpenAPI "
        f"{escape(document['openapi'])}). Errors are problem documents (RFC 9457); "
        "programs should distinguish them by <code>type</code>.</p>"
        f"{operations}</html>"
    )


def make_router(app: FastAPI) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    # Relative, so that they hold below a base path and behind a proxy.
    @router.get("/api")
    def get_api() -> RedirectResponse:
        return RedirectResponse("api/docs")

    @router.get("/api/")
    def get_api_folder() -> RedirectResponse:
        return RedirectResponse("docs")

    @router.get("/api/docs")
    def get_docs() -> HTMLResponse:
        return HTMLResponse(render_page(app.openapi()))

    return router
