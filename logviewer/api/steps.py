"""Steps: finished, and given logs."""

from __future__ import annotations

from typing import Annotated

from ninja import Router, Status
from pydantic import Field

from logviewer.api.authentication import ApiRequest
from logviewer.api.builds import Ending
from logviewer.api.fields import Body, Name
from logviewer.intake.logs import create_log
from logviewer.intake.steps import finish_step
from logviewer.models import LogType
from logviewer.resources.access import writable_step
from logviewer.resources.shapes import LogShape, StepShape, log_end, log_shape, step_shape

router = Router(tags=["steps"])


class LogToCreate(Body):
    """A log to be created."""

    name: Name
    type: Annotated[LogType, Field(strict=False)] = LogType.STDIO


@router.post("/{int:step_id}/finish", response=StepShape, summary="Finish a step")
def post_step_finish(request: ApiRequest, step_id: int, body: Ending) -> StepShape:
    """Its logs stay as they are."""
    writable_step(request.auth, step_id)
    return step_shape(finish_step(step_id, body.results))


@router.post("/{int:step_id}/logs", response={200: LogShape, 201: LogShape}, summary="Create a log, or find it by name")
def post_log(request: ApiRequest, step_id: int, body: LogToCreate) -> Status[LogShape]:
    """A step has one log of a name."""
    writable_step(request.auth, step_id)
    created = create_log(step_id, body.name, body.type)
    return Status(201 if created.is_new else 200, log_shape(created.log, log_end(created.log)))
