"""Parse the body of a request for a new video: a form, as the client sends, or JSON."""

import json
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request

from generator.serve.errors import BadRequest
from generator.serve.images import PARAM, decode_reference
from generator.serve.schemas import CreateVideo

MAX_FIELDS = 64
FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
# The form field for the key of a nested object.
NESTED_URL = f"{PARAM}[image_url]"


async def read_create(request: Request, *, max_bytes: int) -> tuple[CreateVideo, bytes | None]:
    """Return the parameters of a new video, and the bytes of its first image.

    Raises:
        BadRequest: The body is neither a form nor a JSON object, or a parameter is invalid.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in FORMS:
        try:
            values, image = await _read_form(request, max_bytes=max_bytes)
        except (LookupError, UnicodeError):
            raise BadRequest("The form's charset is not supported; send it as UTF-8.") from None
    elif kind == "application/json" or not kind:
        values, image = _read_json(await request.body())
    else:
        raise BadRequest(f"The body is {kind[:60]}; send {FORMS[0]} or application/json.")
    return CreateVideo.parse(values), image


async def _read_form(request: Request, *, max_bytes: int) -> tuple[dict[str, Any], bytes | None]:
    values: dict[str, Any] = {}
    image: bytes | None = None
    limits = {"max_files": 1, "max_fields": MAX_FIELDS, "max_part_size": max_bytes}
    async with request.form(**limits) as form:
        for key, value in form.multi_items():
            if key == PARAM and isinstance(value, UploadFile):
                image = await value.read()
            elif key in (PARAM, NESTED_URL):
                image = decode_reference(value)
            elif isinstance(value, UploadFile):
                raise BadRequest(f"{key} is a file; only {PARAM} may be one.", param=key)
            else:
                values[key] = value
    return values, image


def _read_json(body: bytes) -> tuple[dict[str, Any], bytes | None]:
    try:
        values = json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequest("The body is not JSON; send an object with model and prompt.") from None
    if not isinstance(values, dict):
        raise BadRequest("The body is not a JSON object; send one with model and prompt.")
    reference = values.pop(PARAM, None)
    return values, None if reference is None else decode_reference(reference)
