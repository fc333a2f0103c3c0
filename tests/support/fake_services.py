"""Transcripts of paid services, and one server that plays them over HTTP and keeps what was sent.

Written by hand from the services' documents, not from our provider files, so that a mistake in a
file does not repeat itself here. `{file}` is where the clip lies, `{api}` the service's address.
"""

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any

KEY = "k-secret-of-the-tests"


@dataclass(frozen=True)
class Reply:
    """One answer; `drop` reads the request and closes the connection, `stall_s` waits before."""

    data: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    raw: bytes | None = None
    stall_s: float = 0.0


@dataclass(frozen=True)
class Step:
    """A request of an upload, and its answer.

    Attributes:
        later: the answer when it comes again.
        away: not at the API.
        with_key: of those at the API, all but those to an address that an answer brought.
        headers: that it must have; `{size}` is that of the file.
    """

    method: str
    path: str
    reply: Reply
    away: bool = False
    later: Reply | None = None
    with_key: bool = True
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sourced:
    """An order with a source, as the documents want it: `{source}` in its body is the source.

    Attributes:
        create, poll: paths; None: those without a source.
        body: of the order, for a silent 5 s clip of 16:9 and seed 7.
        sent_as: an image or video as a data URI, or its bare base64, or "uploaded" or "address".
        headers: beside those of all orders.
        upload: the requests before the order, in their order.
        called: what an uploaded source is called; None: the folder and the file's name.
        model: if it is another one.
    """

    body: dict[str, Any]
    create: str | None = None
    poll: str | None = None
    sent_as: str = "data-uri"
    headers: dict[str, str] = field(default_factory=dict)
    upload: tuple[Step, ...] = ()
    called: Any = None
    model: str | None = None


@dataclass(frozen=True)
class Transcript:
    """What one service answers. None: the documents know no such answer.

    Attributes:
        key: header and value that carry the key; None: a signed token.
        create: path of the order.
        poll: pattern of the paths at which its state is asked for.
        body: of the order, as the documents want it for a silent 5 s clip at 720p, 16:9, seed 7.
        refused_before, refused_after: by the rules of content.
        file_with_key: the file lies at the service's own address and needs the key.
        result: of a further request for the file's address, by path.
        billed_usd: what the answer's own figures make.
        answers_file: the answer to an order is the file.
        image, edit: orders with a source.
        other_images: of other models.
    """

    model: str
    key: tuple[str, str] | None
    create: str
    poll: str
    body: dict[str, Any]
    accepted: Any
    waiting: Any
    done: Any
    refused_before: Reply | None
    refused_after: Any
    failed_after: Any
    later: Reply
    unknown_id: Reply
    headers: dict[str, str] = field(default_factory=dict)
    file_with_key: bool = False
    result: dict[str, Any] = field(default_factory=dict)
    billed_usd: float | None = None
    audio: bool = False
    names: bool = False  # a repeated name makes no second clip, or can be asked for
    find: str | None = None
    nothing_found: Any = None
    answers_file: bool = False
    image: Sourced | None = None
    edit: Sourced | None = None
    other_images: tuple[Sourced, ...] = ()


def _dashscope(status: str, **more: Any) -> dict[str, Any]:
    return {"request_id": "r", "output": {"task_id": "t-1", "task_status": status} | more}


_DASH = {
    "key": ("Authorization", f"Bearer {KEY}"),
    "create": "/api/v1/services/aigc/video-generation/video-synthesis",
    "poll": r"/api/v1/tasks/t-1",
    "accepted": _dashscope("PENDING"),
    "waiting": _dashscope("RUNNING"),
    "done": _dashscope("SUCCEEDED", video_url="{file}") | {"usage": {"duration": 5, "SR": 720}},
    "refused_before": Reply({"code": "DataInspectionFailed", "message": "inappropriate"}, 400),
    "refused_after": _dashscope("FAILED", code="DataInspectionFailed", message="output"),
    "failed_after": _dashscope("FAILED", code="InvalidParameter", message="no"),
    "later": Reply({"code": "Throttling.RateQuota", "message": "slow down"}, 429),
    "unknown_id": Reply(_dashscope("UNKNOWN")),
    "headers": {"X-DashScope-Async": "enable"},
}
_OSS = (
    Step(
        "GET",
        r"/api/v1/uploads\?action=getPolicy&model=.+",
        Reply(
            {
                "request_id": "r",
                "data": {
                    "upload_host": "{away}/bucket",
                    "upload_dir": "dashscope-instant/1/2",
                    "policy": "p0",
                    "signature": "s0",
                    "oss_access_key_id": "LTAI-no-key",
                    "x_oss_object_acl": "private",
                    "x_oss_forbid_overwrite": "true",
                },
            }
        ),
    ),
    Step("POST", "/bucket", Reply(status=200, raw=b""), away=True),
)
_OSS_HEADER = {"X-DashScope-OssResourceResolve": "enable"}


def _dash_image(model: str, **more: Any) -> Sourced:
    parameters = {"resolution": "720P", "duration": 5, "seed": 7, "watermark": False} | more
    return Sourced(
        body={
            "model": model,
            "input": {
                "prompt": "a red ball",
                "media": [{"type": "first_frame", "url": "{source}"}],
            },
            "parameters": parameters,
        }
    )


def _dash_edit(model: str) -> Sourced:
    return Sourced(
        body={
            "model": model,
            "input": {"prompt": "a red ball", "media": [{"type": "video", "url": "{source}"}]},
            "parameters": {
                "resolution": "720P",
                "audio_setting": "origin",
                "seed": 7,
                "watermark": False,
            },
        },
        sent_as="uploaded",
        headers=_OSS_HEADER,
        upload=_OSS,
    )


def _ark_source(part: dict[str, Any], **more: Any) -> Sourced:
    return Sourced(
        body={
            "model": "dreamina-seedance-2-5-260628",
            "content": [{"type": "text", "text": "a red ball"}, part],
            "resolution": "480p",
            "generate_audio": False,
            "watermark": False,
        }
        | more,
        model="seedance-2.5",
        sent_as="address" if part["type"] == "video_url" else "data-uri",
    )


_ARK_PATH = "/api/v3/contents/generations/tasks"


def _kling(data: Any, code: int = 0, message: str = "SUCCEED") -> dict[str, Any]:
    return {"code": code, "message": message, "request_id": "r", "data": data}


def _old_kling(status: str, **more: Any) -> dict[str, Any]:
    return _kling({"task_id": "t-1", "task_status": status} | more)


_MINIMAX_OK = {"status_code": 0, "status_msg": "success"}
_GEMINI_LATER = Reply({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "q"}}, 429)
_GEMINI_404 = Reply({"error": {"code": 404, "status": "NOT_FOUND", "message": "no"}}, 404)
_GOOGLE_FILE = {
    "name": "files/f-1",
    "uri": "https://generativelanguage.googleapis.com/v1beta/files/f-1",
    "state": "PROCESSING",
}
_GOOGLE_FILES = (
    Step(
        "POST",
        "/upload/v1beta/files",
        Reply({}, headers={"X-Goog-Upload-URL": "{api}/upload/v1beta/files?upload_id=u-1"}),
        headers={
            "x-goog-upload-protocol": "resumable",
            "x-goog-upload-command": "start",
            "x-goog-upload-header-content-length": "{size}",
            "x-goog-upload-header-content-type": "video/mp4",
        },
    ),
    Step(
        "POST",
        r"/upload/v1beta/files\?upload_id=u-1",
        Reply({"file": _GOOGLE_FILE}),
        with_key=False,
        headers={"x-goog-upload-offset": "0", "x-goog-upload-command": "upload, finalize"},
    ),
    Step(
        "GET",
        "/v1beta/files/f-1",
        Reply(_GOOGLE_FILE),
        later=Reply(_GOOGLE_FILE | {"state": "ACTIVE"}),
    ),
)
_VEO_NAME = "models/veo-3.1-generate-preview/operations/o-1"


def _pixverse(status: int, **more: Any) -> dict[str, Any]:
    return {"ErrCode": 0, "ErrMsg": "success", "Resp": {"id": 1, "status": status} | more}


TRANSCRIPTS: dict[str, Transcript] = {
    "dashscope": Transcript(
        model="happyhorse-1.0",
        body={
            "model": "happyhorse-1.0-t2v",
            "input": {"prompt": "a red ball"},
            "parameters": {
                "resolution": "720P",
                "ratio": "16:9",
                "duration": 5,
                "seed": 7,
                "watermark": False,
            },
        },
        billed_usd=0.70,
        **_DASH,
        image=_dash_image("happyhorse-1.0-i2v"),
        edit=_dash_edit("happyhorse-1.0-video-edit"),
    ),
    "dashscope-wan": Transcript(
        model="wan3.0",
        body={
            "model": "wan3.0-video",
            "input": {"prompt": "a red ball"},
            "parameters": {
                "resolution": "720P",
                "ratio": "16:9",
                "duration": 5,
                "seed": 7,
                "audio": False,
                "watermark": False,
            },
        },
        billed_usd=0.50,
        **_DASH,
        image=_dash_image("wan3.0-video", resolution="480P", audio=False),
    ),
    "dashscope-wan-2.7": Transcript(
        model="wan2.7",
        body={
            "model": "wan2.7-t2v",
            "input": {"prompt": "a red ball"},
            "parameters": {
                "resolution": "720P",
                "ratio": "16:9",
                "duration": 5,
                "seed": 7,
                "watermark": False,
            },
        },
        billed_usd=0.50,
        **_DASH,
        image=_dash_image("wan2.7-i2v"),
        edit=_dash_edit("wan2.7-videoedit"),
    ),
    "ark": Transcript(
        model="seedance-2.0",
        key=("Authorization", f"Bearer {KEY}"),
        create=_ARK_PATH,
        poll=_ARK_PATH + "/cgt-1",
        body={
            "model": "dreamina-seedance-2-0-260128",
            "content": [{"type": "text", "text": "a red ball"}],
            "resolution": "720p",
            "ratio": "16:9",
            "duration": 5,
            "generate_audio": False,
            "watermark": False,
        },
        accepted={"id": "cgt-1"},
        waiting={"id": "cgt-1", "status": "running"},
        done={
            "id": "cgt-1",
            "status": "succeeded",
            "content": {"video_url": "{file}"},
            "usage": {"completion_tokens": 108900, "total_tokens": 108900},
            "resolution": "720p",
            "framespersecond": 24,
        },
        refused_before=Reply(
            {"error": {"code": "InputTextSensitiveContentDetected", "message": "no"}}, 400
        ),
        refused_after={
            "id": "cgt-1",
            "status": "failed",
            "error": {
                "code": "OutputVideoSensitiveContentDetected.PolicyViolation",
                "message": "c",
            },
        },
        failed_after={"id": "cgt-1", "status": "failed", "error": {"code": "Odd", "message": "x"}},
        later=Reply({"error": {"code": "RateLimitExceeded.EndpointRPMExceeded"}}, 429),
        unknown_id=Reply({"error": {"code": "InvalidParameter.NotFound", "message": "no"}}, 404),
        billed_usd=0.756,  # 108,900 tokens; the list price of 5 s is 0.75 for 108,000
        image=_ark_source(
            {"type": "image_url", "role": "first_frame", "image_url": {"url": "{source}"}},
            duration=5,
        ),
        edit=_ark_source(
            {"type": "video_url", "role": "reference_video", "video_url": {"url": "{source}"}},
            omni_reference_task_type="edit",
            ratio="adaptive",
            duration=-1,
        ),
    ),
    "kling": Transcript(
        model="kling-3.0",
        key=("Authorization", f"Bearer {KEY}"),
        create="/text-to-video/kling-3.0",
        poll=r"/tasks\?task_ids=t-1",
        body={
            "prompt": "a red ball",
            "settings": {
                "resolution": "720p",
                "aspect_ratio": "16:9",
                "duration": 5,
                "audio": "off",
                "multi_shot": False,
            },
            "options": {"external_task_id": "{name}", "watermark_info": {"enabled": False}},
        },
        accepted=_kling({"id": "t-1", "status": "submitted"}),
        waiting=_kling([{"id": "t-1", "status": "processing"}]),
        done=_kling(
            {
                "id": "t-1",
                "status": "succeeded",
                "outputs": [{"type": "image", "url": "no"}, {"type": "video", "url": "{file}"}],
            }
        ),
        refused_before=Reply(_kling(None, 1301, "content"), 400),
        refused_after=_kling(
            [{"id": "t-1", "status": "failed", "message": "Failed: risk control"}]
        ),
        failed_after=_kling([{"id": "t-1", "status": "failed", "message": "broken"}]),
        later=Reply(_kling(None, 1303, "parallel tasks"), 429),
        unknown_id=Reply(_kling(None, 1203, "not found"), 404),
        names=True,
        find=r"/tasks\?external_task_ids=.+",
        nothing_found=_kling([]),
        image=Sourced(
            create="/image-to-video/kling-3.0",
            body={
                "contents": [
                    {"type": "prompt", "text": "a red ball"},
                    {"type": "first_frame", "url": "{source}"},
                ],
                "settings": {
                    "resolution": "720p",
                    "duration": 5,
                    "audio": "off",
                    "multi_shot": False,
                },
                "options": {"external_task_id": "{name}", "watermark_info": {"enabled": False}},
            },
            sent_as="base64",
        ),
        edit=Sourced(
            create="/omni-video/kling-3.0-omni",
            body={
                "contents": [
                    {"type": "prompt", "text": "a red ball"},
                    {"type": "base_video", "url": "{source}", "id": "video_1"},
                ],
                "settings": {"resolution": "720p", "audio": "off", "multi_shot": False},
                "options": {"external_task_id": "{name}", "watermark_info": {"enabled": False}},
            },
            sent_as="address",
            model="kling-3.0-omni",
        ),
    ),
    "kling-legacy": Transcript(
        model="kling-v3",
        key=None,
        create="/v1/videos/text2video",
        poll="/v1/videos/text2video/t-1",
        body={
            "model_name": "kling-v3",
            "prompt": "a red ball",
            "duration": "5",
            "mode": "std",
            "aspect_ratio": "16:9",
            "sound": "off",
            "multi_shot": False,
            "watermark_info": {"enabled": False},
        },
        accepted=_old_kling("submitted"),
        waiting=_old_kling("processing"),
        done=_old_kling(
            "succeed", task_result={"videos": [{"url": "{file}", "duration": "5.041"}]}
        ),
        refused_before=Reply(_kling(None, 1300, "policy"), 400),
        refused_after=_old_kling(
            "failed", task_status_msg="Failure to pass the risk control system"
        ),
        failed_after=_old_kling("failed", task_status_msg="broken"),
        later=Reply(_kling(None, 1302, "too often"), 429),
        unknown_id=Reply(_kling(None, 1203, "not found"), 404),
        image=Sourced(
            create="/v1/videos/image2video",
            poll="/v1/videos/image2video/t-1",
            body={
                "model_name": "kling-v3",
                "image": "{source}",
                "prompt": "a red ball",
                "duration": "5",
                "mode": "std",
                "sound": "off",
                "multi_shot": False,
                "watermark_info": {"enabled": False},
            },
            sent_as="base64",
        ),
    ),
    "gemini-veo": Transcript(
        model="veo-3.1",
        audio=True,
        key=("x-goog-api-key", KEY),
        create="/v1beta/models/veo-3.1-generate-preview:predictLongRunning",
        poll=f"/v1beta/{_VEO_NAME}",
        body={
            "instances": [{"prompt": "a red ball"}],
            "parameters": {"aspectRatio": "16:9", "resolution": "720p", "durationSeconds": "6"},
        },
        accepted={"name": _VEO_NAME},
        waiting={"name": _VEO_NAME},
        done={
            "name": _VEO_NAME,
            "done": True,
            "response": {
                "generateVideoResponse": {"generatedSamples": [{"video": {"uri": "{file}"}}]}
            },
        },
        refused_before=None,
        refused_after={
            "name": _VEO_NAME,
            "done": True,
            "response": {
                "generateVideoResponse": {
                    "raiMediaFilteredCount": 1,
                    "raiMediaFilteredReasons": ["a real person"],
                }
            },
        },
        failed_after={
            "name": _VEO_NAME,
            "done": True,
            "error": {"code": 13, "message": "internal"},
        },
        later=_GEMINI_LATER,
        unknown_id=_GEMINI_404,
        file_with_key=True,
        image=Sourced(
            body={
                "instances": [
                    {
                        "prompt": "a red ball",
                        "image": {"bytesBase64Encoded": "{source}", "mimeType": "image/png"},
                    }
                ],
                "parameters": {
                    "aspectRatio": "16:9",
                    "resolution": "720p",
                    "durationSeconds": "6",
                },
            },
            sent_as="base64",
        ),
    ),
    "gemini-omni": Transcript(
        model="gemini-omni-1.1",
        audio=True,
        key=("x-goog-api-key", KEY),
        create="/v1beta/interactions",
        poll="/v1beta/interactions/v1_abc",
        body={
            "model": "gemini-omni-1.1-flash",
            "background": True,
            "input": "a red ball",
            "response_format": {
                "type": "video",
                "delivery": "uri",
                "duration": "5s",
                "aspect_ratio": "16:9",
                "resolution": "720p",
            },
        },
        accepted={"id": "v1_abc", "status": "queued"},
        waiting={"id": "v1_abc", "status": "in_progress"},
        done={
            "id": "v1_abc",
            "status": "completed",
            "usage": {"total_output_tokens": 28960},
            "steps": [
                {"type": "thought"},
                {"type": "model_output", "content": [{"type": "video", "uri": "{file}"}]},
            ],
        },
        refused_before=Reply({"error": {"code": "PROHIBITED_CONTENT", "message": "no"}}, 400),
        refused_after={
            "id": "v1_abc",
            "status": "completed",
            "steps": [{"type": "model_output", "content": [{"type": "text", "text": "I cannot"}]}],
        },
        failed_after={"id": "v1_abc", "status": "budget_exceeded"},
        later=_GEMINI_LATER,
        unknown_id=_GEMINI_404,
        file_with_key=True,
        billed_usd=0.5068,
        image=Sourced(
            body={
                "model": "gemini-omni-1.1-flash",
                "background": True,
                "input": [
                    {"type": "image", "data": "{source}", "mime_type": "image/png"},
                    {"type": "text", "text": "a red ball"},
                ],
                "response_format": {
                    "type": "video",
                    "delivery": "uri",
                    "duration": "5s",
                    "aspect_ratio": "16:9",
                    "resolution": "360p",
                },
            },
            sent_as="base64",
        ),
        edit=Sourced(
            body={
                "model": "gemini-omni-1.1-flash",
                "background": True,
                "input": [
                    {"type": "video", "uri": "{source}", "mime_type": "video/mp4"},
                    {"type": "text", "text": "a red ball"},
                ],
                "response_format": {"type": "video", "delivery": "uri"},
            },
            sent_as="uploaded",
            upload=_GOOGLE_FILES,
            called=_GOOGLE_FILE["uri"],
        ),
    ),
    "runway": Transcript(
        model="gen4.5",
        key=("Authorization", f"Bearer {KEY}"),
        create="/v1/text_to_video",
        poll="/v1/tasks/t-1",
        body={
            "model": "gen4.5",
            "promptText": "a red ball",
            "ratio": "1280:720",
            "duration": 5,
            "seed": 7,
        },
        headers={"X-Runway-Version": "2024-11-06"},
        accepted={"id": "t-1"},
        waiting={"id": "t-1", "status": "RUNNING", "progress": 0.5},
        done={"id": "t-1", "status": "SUCCEEDED", "output": ["{file}"]},
        refused_before=None,
        refused_after={"id": "t-1", "status": "FAILED", "failureCode": "SAFETY.OUTPUT.VIDEO"},
        failed_after={
            "id": "t-1",
            "status": "FAILED",
            "failureCode": "INTERNAL.BAD_OUTPUT.CODE01",
            "failure": "bad",
        },
        later=Reply({"error": "the day's cap"}, 429),
        unknown_id=Reply({"error": "not found"}, 404),
        image=Sourced(
            create="/v1/image_to_video",
            body={
                "model": "gen4.5",
                "promptText": "a red ball",
                "promptImage": "{source}",
                "ratio": "1280:720",
                "duration": 5,
                "seed": 7,
            },
        ),
        edit=Sourced(
            create="/v1/video_to_video",
            body={
                "model": "aleph2",
                "promptText": "a red ball",
                "videoUri": "{source}",
                "seed": 7,
            },
            model="aleph2",
        ),
    ),
    "luma": Transcript(
        model="ray-3.2",
        key=("Authorization", f"Bearer {KEY}"),
        create="/v1/generations",
        poll="/v1/generations/g-1",
        body={
            "model": "ray-3.2",
            "type": "video",
            "prompt": "a red ball",
            "aspect_ratio": "16:9",
            "video": {"duration": "5s", "resolution": "720p"},
        },
        accepted={"id": "g-1", "state": "queued"},
        waiting={"id": "g-1", "state": "processing"},
        done={"id": "g-1", "state": "completed", "output": [{"type": "video", "url": "{file}"}]},
        refused_before=Reply({"detail": "no", "code": "content_moderated"}, 400),
        refused_after={"id": "g-1", "state": "failed", "failure_code": "content_moderated"},
        failed_after={"id": "g-1", "state": "failed", "failure_code": "generation_failed"},
        later=Reply({"detail": "slow down", "code": "rate_limited"}, 429, {"Retry-After": "0"}),
        unknown_id=Reply({"detail": "not found"}, 404),
        image=Sourced(
            body={
                "model": "ray-3.2",
                "type": "video",
                "prompt": "a red ball",
                "aspect_ratio": "16:9",
                "video": {
                    "duration": "5s",
                    "resolution": "540p",
                    "start_frame": {"data": "{source}", "media_type": "image/png"},
                },
            },
            sent_as="base64",
        ),
        edit=Sourced(
            body={
                "model": "ray-3.2",
                "type": "video_edit",
                "prompt": "a red ball",
                "source": {"data": "{source}", "media_type": "video/mp4"},
                "video": {"resolution": "540p"},
            },
            sent_as="base64",
            model="ray-3.2-edit",
        ),
    ),
    "minimax": Transcript(
        model="minimax-h3",
        key=("Authorization", f"Bearer {KEY}"),
        create="/v2/video_generation",
        poll="/v2/query/video_generation/t-1",
        body={
            "model": "MiniMax-H3",
            "content": [{"type": "text", "text": "a red ball"}],
            "resolution": "768P",
            "ratio": "16:9",
            "duration": 5,
            "aigc_watermark": False,
        },
        accepted={"task_id": "t-1"},
        waiting={"task": {"id": "t-1", "status": "running"}},
        done={"task": {"id": "t-1", "status": "succeeded", "content": {"url": "{file}"}}},
        refused_before=Reply(
            {"error": {"type": "unprocessable_entity_error", "code": "1026", "message": "t"}}, 422
        ),
        refused_after={"task": {"status": "failed", "error": {"code": "1027", "message": "clip"}}},
        failed_after={"task": {"status": "failed", "error": {"code": "2013", "message": "bad"}}},
        later=Reply({"error": {"code": "1002", "message": "slow down"}}, 429),
        unknown_id=Reply({"error": {"code": "2013", "message": "no task"}}, 404),
        image=Sourced(
            body={
                "model": "MiniMax-H3",
                "content": [
                    {"type": "text", "text": "a red ball"},
                    {
                        "type": "image_url",
                        "role": "first_frame",
                        "image_url": {"url": "{source}"},
                    },
                ],
                "resolution": "768P",
                "duration": 5,
                "aigc_watermark": False,
            }
        ),
        other_images=(
            Sourced(
                model="minimax-h3-max",
                body={
                    "model": "MiniMax-H3-Max",
                    "content": [
                        {"type": "text", "text": "a red ball"},
                        {
                            "type": "image_url",
                            "role": "first_frame",
                            "image_url": {"url": "{source}"},
                        },
                    ],
                    "resolution": "480P",
                    "duration": 5,
                    "aigc_watermark": False,
                },
            ),
        ),
    ),
    "minimax-hailuo": Transcript(
        model="hailuo-2.3",
        key=("Authorization", f"Bearer {KEY}"),
        create="/v1/video_generation",
        poll=r"/v1/query/video_generation\?task_id=t-1",
        body={
            "model": "MiniMax-Hailuo-2.3",
            "prompt": "a red ball",
            "duration": 6,
            "resolution": "768P",
        },
        accepted={"task_id": "t-1", "base_resp": _MINIMAX_OK},
        waiting={"task_id": "t-1", "status": "Queueing", "base_resp": _MINIMAX_OK},
        done={"task_id": "t-1", "status": "Success", "file_id": "f/9", "base_resp": _MINIMAX_OK},
        result={
            r"/v1/files/retrieve\?file_id=f%2F9": {
                "file": {"download_url": "{file}"},
                "base_resp": _MINIMAX_OK,
            }
        },
        refused_before=Reply({"base_resp": {"status_code": 1026, "status_msg": "text"}}),
        refused_after={"status": "Fail", "base_resp": {"status_code": 1027, "status_msg": "clip"}},
        failed_after={"status": "Fail", "base_resp": {"status_code": 2013, "status_msg": "bad"}},
        later=Reply({"base_resp": {"status_code": 1002, "status_msg": "slow down"}}),
        unknown_id=Reply({"base_resp": {"status_code": 2013, "status_msg": "no task"}}, 404),
        image=Sourced(
            body={
                "model": "MiniMax-Hailuo-2.3",
                "prompt": "a red ball",
                "first_frame_image": "{source}",
                "duration": 6,
                "resolution": "768P",
            }
        ),
    ),
    "vidu": Transcript(
        model="vidu-q3-pro",
        key=("Authorization", f"Token {KEY}"),
        create="/ent/v2/text2video",
        poll="/ent/v2/tasks/7/creations",
        body={
            "model": "viduq3-pro",
            "prompt": "a red ball",
            "duration": 5,
            "seed": 7,
            "aspect_ratio": "16:9",
            "resolution": "720p",
            "audio": False,
            "watermark": False,
        },
        accepted={"task_id": "7", "state": "created"},
        waiting={"id": "7", "state": "queueing", "creations": []},
        done={"id": "7", "state": "success", "creations": [{"id": "1", "url": "{file}"}]},
        refused_before=Reply(
            {"code": 400, "reason": "AuditSubmitIllegal", "message": "audit"}, 400
        ),
        refused_after={"id": "7", "state": "failed", "err_code": "AuditIllegal", "creations": []},
        failed_after={"id": "7", "state": "failed", "err_code": "Broken", "creations": []},
        later=Reply({"code": 429, "message": "slow down"}, 429),
        unknown_id=Reply({"code": 404, "message": "no task"}, 404),
        image=Sourced(
            create="/ent/v2/img2video",
            body={
                "model": "viduq3-pro",
                "images": ["{source}"],
                "prompt": "a red ball",
                "duration": 5,
                "seed": 7,
                "resolution": "720p",
                "audio": False,
                "watermark": False,
            },
        ),
    ),
    "pixverse": Transcript(
        model="pixverse-v6",
        key=("API-KEY", KEY),
        create="/openapi/v2/video/text/generate",
        poll="/openapi/v2/video/result/55",
        headers={"Ai-trace-id": "{name}"},
        body={
            "model": "v6",
            "prompt": "a red ball",
            "duration": 5,
            "quality": "720p",
            "aspect_ratio": "16:9",
            "seed": 7,
            "generate_audio_switch": False,
            "water_mark": False,
        },
        accepted={"ErrCode": 0, "ErrMsg": "success", "Resp": {"video_id": 55}},
        waiting=_pixverse(5),
        done=_pixverse(1, url="{file}"),
        refused_before=None,
        refused_after=_pixverse(7),
        failed_after=_pixverse(8),
        later=Reply({"ErrCode": 500044, "ErrMsg": "too many at once"}, 429),
        unknown_id=Reply({"ErrCode": 400, "ErrMsg": "no video"}, 404),
        names=True,
        image=Sourced(
            create="/openapi/v2/video/img/generate",
            body={
                "model": "v6",
                "img_id": "{source}",
                "prompt": "a red ball",
                "duration": 5,
                "quality": "720p",
                "seed": 7,
                "generate_audio_switch": False,
                "water_mark": False,
            },
            sent_as="uploaded",
            upload=(
                Step(
                    "POST",
                    "/openapi/v2/image/upload",
                    Reply({"ErrCode": 0, "ErrMsg": "success", "Resp": {"img_id": 77}}),
                ),
            ),
            called=77,
        ),
    ),
    "ltx": Transcript(
        model="ltx-2.3-pro",
        key=("Authorization", f"Bearer {KEY}"),
        create="/v2/text-to-video",
        poll="/v2/text-to-video/j-1",
        body={
            "model": "ltx-2-3-pro",
            "prompt": "a red ball",
            "duration": 6,
            "resolution": "1920x1080",
            "fps": 24,
            "generate_audio": False,
        },
        accepted={"id": "j-1", "status": "pending"},
        waiting={"id": "j-1", "status": "processing"},
        done={"id": "j-1", "status": "completed", "result": {"video_url": "{file}"}},
        refused_before=Reply({"error": {"type": "content_filtered_error", "message": "no"}}, 422),
        refused_after={
            "id": "j-1",
            "status": "failed",
            "error": {"type": "content_filtered_error", "message": "no"},
        },
        failed_after={"id": "j-1", "status": "failed", "error": {"type": "api_error"}},
        later=Reply(
            {"error": {"type": "concurrency_limit_error", "message": "busy"}},
            429,
            {"Retry-After": "0"},
        ),
        unknown_id=Reply({"error": {"type": "not_found_error"}}, 404),
        image=Sourced(
            create="/v2/image-to-video",
            body={
                "model": "ltx-2-3-pro",
                "image_uri": "{source}",
                "prompt": "a red ball",
                "duration": 6,
                "resolution": "1920x1080",
                "fps": 24,
                "generate_audio": False,
            },
            poll="/v2/image-to-video/j-1",
        ),
    ),
    "ltx-sync": Transcript(
        model="ltx-2.3-fast",
        key=("Authorization", f"Bearer {KEY}"),
        create="/v1/text-to-video",
        poll="no polls",
        body={
            "model": "ltx-2-3-fast",
            "prompt": "a red ball",
            "duration": 6,
            "resolution": "1920x1080",
            "fps": 24,
            "generate_audio": False,
        },
        accepted=None,
        waiting=None,
        done=None,
        refused_before=Reply({"error": {"type": "content_filtered_error", "message": "no"}}, 422),
        refused_after=None,
        failed_after=None,
        later=Reply(
            {"error": {"type": "rate_limit_error", "message": "busy"}}, 429, {"Retry-After": "0"}
        ),
        unknown_id=Reply({}, 404),
        answers_file=True,
        image=Sourced(
            create="/v1/image-to-video",
            body={
                "model": "ltx-2-3-fast",
                "image_uri": "{source}",
                "prompt": "a red ball",
                "duration": 6,
                "resolution": "1920x1080",
                "fps": 24,
                "generate_audio": False,
            },
            sent_as="uploaded",
            upload=(
                Step(
                    "POST",
                    "/v1/upload",
                    Reply(
                        {
                            "upload_url": "{away}/up/1?signature=x",
                            "storage_uri": "ltx://uploads/u1",
                            "required_headers": {"x-goog-content-length-range": "0,104857600"},
                        }
                    ),
                ),
                Step("PUT", r"/up/1\?signature=x", Reply(raw=b""), away=True),
            ),
            called="ltx://uploads/u1",
        ),
    ),
    "fal": Transcript(
        model="ltx-2.3-fast",
        key=("Authorization", f"Key {KEY}"),
        create="/fal-ai/ltx-2.3/text-to-video/fast",
        poll="/fal-ai/ltx-2.3/requests/r-1/status",
        headers={"X-Fal-No-Retry": "1"},
        body={
            "prompt": "a red ball",
            "duration": 6,
            "resolution": "1080p",
            "aspect_ratio": "16:9",
            "generate_audio": False,
        },
        accepted={
            "request_id": "r-1",
            "status_url": "{api}/fal-ai/ltx-2.3/requests/r-1/status",
            "response_url": "{api}/fal-ai/ltx-2.3/requests/r-1",
            "cancel_url": "{api}/fal-ai/ltx-2.3/requests/r-1/cancel",
        },
        waiting={"status": "IN_QUEUE", "queue_position": 3},
        done={"status": "COMPLETED"},
        result={"/fal-ai/ltx-2.3/requests/r-1": {"video": {"url": "{file}"}}},
        refused_before=Reply({"detail": [{"type": "content_policy_violation", "msg": "no"}]}, 422),
        refused_after={
            "status": "COMPLETED",
            "error": "flagged",
            "error_type": "content_policy_violation",
        },
        failed_after={"status": "COMPLETED", "error": "timed out", "error_type": "request_timeout"},
        later=Reply({"detail": "busy", "error_type": "concurrent_requests_limit"}, 429),
        unknown_id=Reply({"detail": "not found"}, 404),
        image=Sourced(
            create="/fal-ai/ltx-2.3/image-to-video/fast",
            body={
                "prompt": "a red ball",
                "image_url": "{source}",
                "duration": 6,
                "resolution": "1080p",
                "aspect_ratio": "16:9",
                "generate_audio": False,
            },
        ),
    ),
    "openrouter": Transcript(
        model="seedance-2.5",
        key=("Authorization", f"Bearer {KEY}"),
        create="/api/v1/videos",
        poll="/api/v1/videos/job-1",
        body={
            "model": "bytedance/seedance-2.5",
            "prompt": "a red ball",
            "duration": 5,
            "resolution": "720p",
            "aspect_ratio": "16:9",
            "generate_audio": False,
        },
        accepted={"id": "job-1", "polling_url": "/api/v1/videos/job-1", "status": "pending"},
        waiting={"id": "job-1", "polling_url": "/api/v1/videos/job-1", "status": "in_progress"},
        done={
            "id": "job-1",
            "status": "completed",
            "generation_id": "gen-1",
            "unsigned_urls": ["{file}"],
            "usage": {"cost": 0.42, "is_byok": False},
        },
        refused_before=Reply({"error": {"code": 403, "message": "Your input was flagged"}}, 403),
        refused_after={"id": "job-1", "status": "failed", "error": "Blocked by content policy"},
        failed_after={"id": "job-1", "status": "failed", "error": "upstream timeout"},
        later=Reply({"error": {"code": 429, "message": "Rate limit exceeded"}}, 429),
        unknown_id=Reply({"error": {"code": 404, "message": "Resource not found"}}, 404),
        file_with_key=True,
        billed_usd=0.42,
        image=Sourced(
            body={
                "model": "bytedance/seedance-2.5",
                "prompt": "a red ball",
                "frame_images": [
                    {
                        "type": "image_url",
                        "frame_type": "first_frame",
                        "image_url": {"url": "{source}"},
                    }
                ],
                "duration": 5,
                "resolution": "480p",
                "generate_audio": False,
            }
        ),
    ),
    "replicate": Transcript(
        model="wan-2.2",
        key=("Authorization", f"Bearer {KEY}"),
        create="/v1/models/wan-video/wan-2.2-t2v-fast/predictions",
        poll="/v1/predictions/p1",
        body={
            "input": {
                "prompt": "a red ball",
                "aspect_ratio": "16:9",
                "resolution": "720p",
                "seed": 7,
            }
        },
        accepted={"id": "p1", "status": "starting"},
        waiting={"id": "p1", "status": "processing"},
        done={"id": "p1", "status": "succeeded", "output": "{file}"},
        refused_before=None,
        refused_after={"id": "p1", "status": "failed", "error": "was flagged as sensitive (E005)"},
        failed_after={"id": "p1", "status": "failed", "error": "out of memory"},
        later=Reply({"detail": "throttled"}, 429, {"Retry-After": "0"}),
        unknown_id=Reply({"detail": "not found"}, 404),
        image=Sourced(
            create="/v1/models/wan-video/wan-2.2-i2v-fast/predictions",
            body={
                "input": {
                    "prompt": "a red ball",
                    "image": "{source}",
                    "resolution": "480p",
                    "seed": 7,
                }
            },
        ),
    ),
}


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    data: bytes = b""


class FakeService:
    """Plays one transcript. Its fields say what goes wrong; `requests` is what was sent.

    Attributes:
        create_replies: answers to orders before one is accepted.
        polls: how often an order is waiting before it is done.
        final: the last state, instead of a finished one.
        gone: how often the file is answered with 403.
        accept_dropped: an order whose connection is dropped was accepted.
        uploading: the steps of an upload.
        together: orders are done once that number was accepted.
    """

    def __init__(self, transcript: Transcript, file: bytes) -> None:
        self.transcript, self.file = transcript, file
        self.create_replies: list[Reply] = []
        self.poll_replies: list[Reply] = []
        self.file_replies: list[Reply] = []
        self.polls = 1
        self.final: Any = None
        self.accept_dropped = True
        self.requests: list[Request] = []
        self.file_requests: list[Request] = []
        self.clips: list[str] = []  # orders that were accepted, by name or number
        self.waited: dict[str, int] = {}
        self.api = self.file_url = self.away = ""
        self.uploading: tuple[Step, ...] = ()
        self.uploads: list[Request] = []
        self.together = 0
        self.most_waiting = 0
        self._lock = Lock()

    @property
    def orders(self) -> list[Request]:
        created = self.transcript.create
        return [each for each in self.requests if (each.method, each.path) == ("POST", created)]

    def answer(self, request: Request, *, at_file: bool) -> Reply:
        with self._lock:
            for step in self.uploading:
                at_step = step.method == request.method and re.fullmatch(step.path, request.path)
                if at_step and step.away == at_file:
                    came = any(each.path == request.path for each in self.uploads)
                    self.uploads.append(request)
                    return self._fill(step.later if came and step.later else step.reply)
            if at_file:
                self.file_requests.append(request)
                return self.file_replies.pop(0) if self.file_replies else Reply(raw=self.file)
            self.requests.append(request)
            return self._fill(self._answer(request))

    def _answer(self, request: Request) -> Reply:
        script = self.transcript
        if request.method == "POST" and request.path == script.create:
            reply = self.create_replies.pop(0) if self.create_replies else None
            if reply is None or (reply.drop and self.accept_dropped):
                self._accept(request)
            return reply or self._accepted()
        if script.find and re.fullmatch(script.find, request.path):
            name = request.path.rpartition("=")[2]
            return Reply(script.waiting if name in self.clips else script.nothing_found)
        if re.fullmatch(script.poll, request.path):
            return self._poll()
        for pattern, data in script.result.items():
            if re.fullmatch(pattern, request.path):
                return Reply(data)
        return Reply({"error": "no such address"}, 404)

    def _accepted(self) -> Reply:
        if self.transcript.answers_file:
            return Reply(raw=self.file, headers={"content-type": "application/octet-stream"})
        return Reply(self.transcript.accepted)

    def _accept(self, request: Request) -> None:
        named = (request.body.get("options") or {}).get("external_task_id")
        name = named or request.headers.get("ai-trace-id") or str(len(self.clips))
        if name not in self.clips:
            self.clips.append(name)
        self.most_waiting = max(self.most_waiting, len(self.clips) - len(self.file_requests))

    def _poll(self) -> Reply:
        if self.poll_replies:
            return self.poll_replies.pop(0)
        waited = self.waited["t"] = self.waited.get("t", 0) + 1
        if waited <= self.polls or len(self.clips) < self.together:
            return Reply(self.transcript.waiting)
        return Reply(self.transcript.done if self.final is None else self.final)

    def _fill(self, reply: Reply) -> Reply:
        text = json.dumps(reply.data).replace("{file}", self.file_url).replace("{api}", self.api)
        text = text.replace("{away}", self.away)
        headers = {k: v.replace("{api}", self.api) for k, v in reply.headers.items()}
        return replace(reply, data=json.loads(text), headers=headers)


@contextmanager
def serving_service(service: FakeService) -> Iterator[FakeService]:
    """Serve a fake service, and the files beside it on another port."""

    def handler(at_file: bool) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                data = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                is_json = headers.get("content-type") == "application/json"
                body = json.loads(data) if is_json else None
                is_file = at_file or self.path.startswith("/the-file")
                reply = service.answer(
                    Request(self.command, self.path, headers, body, data), at_file=is_file
                )
                time.sleep(reply.stall_s)
                if reply.drop:
                    self.close_connection = True
                    return
                content = json.dumps(reply.data).encode() if reply.raw is None else reply.raw
                self.send_response(reply.status)
                self.send_header("content-length", str(len(content)))
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    self.wfile.write(content)
                except OSError:
                    self.close_connection = True

            do_GET = do_POST = do_DELETE = do_PUT = _answer

            def log_message(self, *_: object) -> None:
                return None

        return Handler

    servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler(is_file)) for is_file in (False, True)]
    for server in servers:
        server.daemon_threads = True
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    service.api = f"http://127.0.0.1:{servers[0].server_port}"
    service.away = f"http://127.0.0.1:{servers[1].server_port}"
    port = servers[0 if service.transcript.file_with_key else 1].server_port
    service.file_url = f"http://127.0.0.1:{port}/the-file.mp4"
    try:
        yield service
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


def provider_at(name: str, address: str, folder: Path) -> Path:
    """A copy of a shipped provider file whose service is at another address."""
    from generator.backends.api import provider

    source = Path(provider.__file__).parent / "providers" / f"{name}.toml"
    text, count = re.subn(
        r'(?m)^base_url = "[^"]*"', f'base_url = "{address}"', source.read_text(encoding="utf-8")
    )
    assert count == 1
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path
