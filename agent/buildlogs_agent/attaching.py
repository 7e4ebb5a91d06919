"""A file as a log of a step that another process began, or still has to bring to the server."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Optional

from .errors import Refused
from .ledger import StepEntry
from .upload import LogUpload

if TYPE_CHECKING:
    from .api import Created, Id


class AttachedUpload(LogUpload):
    """Brings a log to a step that is somebody else's, who also says how the step ended.

    The step is the last of that name that began on this machine, else the last that the server has. Where there is
    neither, one is created for the log, and finished with it.
    """

    def _find_or_create_step(self, build: Id) -> Id:
        step = self._step_of_this_machine(build) or self._step_of_the_server(build)
        if step is not None:
            return step
        self._note(attached=False, step_number=self._ledger.next_step_number(self._log.build, self._log.step_name))
        return self._create_step(build)

    def _step_of_this_machine(self, build: Id) -> Optional[Id]:
        """By its number, which says the same whether its own agent has come to create it or not."""
        with contextlib.suppress(OSError):
            begun = self._ledger.find_step(self._log.build, self._log.step_name)
            if begun is not None:
                return begun.id or self._create_begun(build, begun)
        return None

    def _create_begun(self, build: Id, begun: StepEntry) -> Optional[Id]:
        def request(timeout: float) -> Created:
            return self._api.create_step(build, self._log.step_name, begun.number, timeout)

        created = self._unless_taken(request)
        if created is None:
            return None
        if created.new:  # its own agent must not take it for another machine's
            self._ledger.note_step(self._log.build, begun._replace(id=created.id))
        return created.id

    def _step_of_the_server(self, build: Id) -> Optional[Id]:
        name = self._log.step_name
        try:
            return self._patience.persist(lambda timeout: self._api.find_step(build, name, timeout))
        except Refused:  # a token that may write and not read
            return None

    def _finish_step(self) -> None:
        if not self._log.attached:
            super()._finish_step()
