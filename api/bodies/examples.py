"""What answers look like, for the OpenAPI document. A test holds them against the models."""

from __future__ import annotations

from typing import Any

_ID = "01a205fce835f583b9e1f46840befa8d"
_GROUP = "01a205fd1c2e9ad05b7be2f27c9ef1a4"


def _other(codec: str, setting: float, size: int, quality: tuple[float, float, float]) -> dict[str, Any]:
    psnr, ssim, mse = quality
    return {"codec": codec, "setting": setting, "bytes": size, "fits": True, "psnr": psnr, "ssim": ssim, "mse": mse}


JOB: dict[str, Any] = {
    "id": _ID,
    "owner": "local",
    "group": None,
    "state": "fitting",
    "phase": "training one rule per patch",
    "priority": "normal",
    "profile": "rules",
    "preset": "small",
    "effort": "draft",
    "seed": "scaffold",
    "quality": None,
    "width": 120,
    "height": 120,
    "progress": 0.61,
    "patches_done": 4,
    "patches_total": 9,
    "patches_failed": 0,
    "psnr": None,
    "bytes": None,
    "queue_position": None,
    "eta_seconds": 6.2,
    "attempts": 2,
    "created_at": "2026-11-23T01:00:00.000Z",
    "started_at": "2026-11-23T01:00:00.250Z",
    "finished_at": None,
    "steps": [
        {
            "kind": "fit",
            "start": 4,
            "stop": 9,
            "queue": "regrow.fit.cpu",
            "worker": "regrow-4711@host",
            "started_at": "2026-11-23T01:00:04.120Z",
        }
    ],
    "warning": None,
    "error": None,
    "links": {
        "self": f"/jobs/{_ID}",
        "picture": f"/decode/{_ID}.png",
        "growth": f"/decode/{_ID}.gif",
        "bundle": f"/jobs/{_ID}/bundle",
        "report": f"/jobs/{_ID}/report",
        "source": f"/jobs/{_ID}/source.png",
        "events": f"/jobs/{_ID}/events",
        "cancel": f"/jobs/{_ID}/cancel",
    },
}

_ITEM: dict[str, Any] = {
    "name": "cat.png",
    "job": _ID,
    "state": "fitting",
    "progress": 0.61,
    "patches_done": 4,
    "patches_total": 9,
    "psnr": None,
    "bytes": None,
    "error": None,
    "picture": f"/decode/{_ID}.png",
    "bundle": f"/jobs/{_ID}/bundle",
}

_REFUSED: dict[str, Any] = {
    **dict.fromkeys(_ITEM),
    "name": "notes.txt",
    "error": {"type": "unsupported-image", "message": "the file is not a PNG, JPEG or WebP image"},
}

GROUP: dict[str, Any] = {
    "id": _GROUP,
    "owner": "local",
    "created_at": "2026-11-23T01:00:00.000Z",
    "ended": False,
    "images": 2,
    "refused": 1,
    "left_out": 0,
    "states": {"fitting": 1},
    "patches_done": 4,
    "patches_total": 9,
    "progress": 0.61,
    "bytes": 0,
    "eta_seconds": 6.2,
    "items": [_ITEM, _REFUSED],
    "links": {
        "self": f"/groups/{_GROUP}",
        "manifest": f"/groups/{_GROUP}/manifest.json",
        "cancel": f"/groups/{_GROUP}/cancel",
    },
}

_WORKER: dict[str, Any] = {
    "id": "host:4711",
    "host": "host",
    "pid": 4711,
    "device": "Intel(R) Xeon(R) CPU @ 2.50GHz",
    "engine": "numba",
    "version": "0.1.0",
    "protocol": 6,
    "node": "regrow-4711@host",
    "queues": ["regrow.fit.cpu", "regrow.assemble"],
    "slots": 1,
    "batch_cost": 3e12,
    "ready": True,
    "drained": False,
    "memory_bytes": 412_000_000,
    "device_memory_bytes": None,
    "patch_iterations_per_second": 640.0,
    "current": f"{_ID}: patches 0 to 8",
    "refused": None,
}

_PROCESS: dict[str, Any] = {
    "name": "worker 0",
    "pid": 4711,
    "state": "running",
    "restarts": 0,
    "last_exit": None,
    "since": "2026-11-23T01:00:00.000Z",
}

_REPORT: dict[str, Any] = {
    "width": 120,
    "height": 120,
    "channels": 3,
    "profile": "rules",
    "preset": "small",
    "effort": "draft",
    "seed": "scaffold",
    "seed_number": 0,
    "coder": "ans",
    "quality": None,
    "quantisation_step": None,
    "target_psnr": None,
    "max_bytes": None,
    "target_met": None,
    "next_bytes": None,
    "patches": 9,
    "presets": {"small": 9},
    "psnr": 34.46,
    "ssim": 0.9357,
    "mse": 23.27,
    "bytes": 6517,
    "original_bytes": 27_204,
    "raw_bytes": 43_200,
    "cr_original": 0.7604,
    "cr_raw": 0.8491,
    "bits_per_pixel": 3.621,
    "patch_iterations": 2700,
    "device_seconds": 9.57,
    "elapsed_seconds": 11.2,
    "others": [
        _other("JPEG 4:4:4", 91.0, 6472, (38.82, 0.9773, 8.54)),
        _other("JPEG 2000", 6.645, 6514, (37.55, 0.9665, 11.43)),
        _other("WebP", 95.0, 6164, (40.16, 0.9859, 6.27)),
    ],
    "colours": "taken as sRGB",
    "source_format": "png",
    "others_note": None,
    "bytes_per_patch": 6517 / 9,
}

_PROBLEM_KIND: dict[str, Any] = {
    "type": "/problems/job-not-found",
    "title": "Job not found",
    "status": 404,
    "meaning": "No job has this id.",
}

_DELIVERY: dict[str, Any] = {
    "id": f"msg_{_ID}_1795395600000",
    "owner": "local",
    "url": "https://example.org/hook",
    "event": "job.succeeded",
    "state": "pending",
    "created_at": "2026-11-23T01:00:10.000Z",
    "next_at": "2026-11-23T01:00:15.400Z",
    "attempts": [{"at": "2026-11-23T01:00:10.100Z", "seconds": 0.21, "status": 500, "error": "the answer was 500"}],
    "body": f'{{"type":"job.succeeded","timestamp":"2026-11-23T01:00:10.000Z","data":{{"id":"{_ID}"}}}}',
}

EXAMPLES: dict[str, Any] = {
    "JobBody": JOB,
    "JobList": {"jobs": [JOB], "next": None},
    "GroupBody": GROUP,
    "WorkerList": {"workers": [_WORKER]},
    "Report": _REPORT,
    "ProcessList": {"processes": [_PROCESS]},
    "Health": {"status": "ok"},
    "Readiness": {"status": "ok", "warnings": []},
    "ProblemKind": _PROBLEM_KIND,
    "DeliveryBody": _DELIVERY,
    "DeliveryList": {"deliveries": [_DELIVERY], "next": None},
    "WebhookSecret": {"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
}
"""An example of each model, by the model's name."""
