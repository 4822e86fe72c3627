"""What HUB's cloud did and this hub does not: it says so, and names the local command, rather than fake a success."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException

from hub_callbacks.server.bodies import FAILURES, Failure

_REFUSED = {"model": Failure, "description": "Not done by this hub."}

router = APIRouter(tags=["unavailable"], responses={422: FAILURES[422], 501: _REFUSED})

_EXPORT = "This hub does not export models. Download the checkpoint and run: yolo export model=best.pt format=onnx"
_PREDICT = "This hub does not predict. Download the checkpoint and run: yolo predict model=best.pt source=image.jpg"


@router.post("/v1/models/{model_id}/export", status_code=501)
@router.post("/get-export", status_code=501)
async def export() -> None:
    """Always refused."""
    raise HTTPException(501, _EXPORT)


@router.post("/v1/predict/{model_id}", status_code=501)
async def predict(model_id: str) -> None:
    """Always refused."""
    raise HTTPException(501, f"{_PREDICT} (model {model_id!r})")
