"""What a restored site is held to: what had been answered before the copy, and what may have come into it since."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import httpx

from tests.acceptance.busy_site import Sent, ask, redact
from tests.acceptance.client import Writer, entry
from tests.acceptance.server import Server
from tests.receiver import Receiver

GONE = {"missing", "text-missing", "index-missing"}


class RestoredSite:
    """A restored site; `then` is what had been answered before the copy, `now` what had been asked when it ended.

    Of `swept` projects, retention deletes builds at any moment.
    """

    def __init__(
        self,
        server: Server,
        token: str,
        then: dict[int, Sent],
        now: dict[int, Sent],
        findings: list[dict[str, Any]],
        swept: set[str],
    ) -> None:
        self.server, self.then, self.now, self.swept = server, then, now, swept
        self.writer = Writer(server.url, token)
        self.findings = findings
        self.outcomes: Counter[str] = Counter()
        self.rows = {number: row for number in now if (row := self._get(f"/logs/{number}")) is not None}

    def _get(self, path: str) -> dict[str, Any] | None:
        answer = self.writer.http.get(path)
        assert answer.status_code in (200, 404), answer.text
        return dict(answer.json()) if answer.status_code == 200 else None

    def check_logs(self) -> None:
        """Each is what its writer sent, and as redacted as it was; what is not is said."""
        for number, log in self.now.items():
            row, then = self.rows.get(number), self.then.get(number)
            if row is None:
                assert then is None or then.deleting or log.project in self.swept, f"log {number} is not there"
                continue
            assert then is None or not then.deleted, f"log {number} is back"
            self._check_log(row, log, then)
        print(dict(self.outcomes), Counter(f"{each['fault']} {each['repaired']}" for each in self.findings))
        for outcome in ("finished", "open", "made anew", "deleted meanwhile", "redacted before"):
            assert self.outcomes[outcome], f"there was no log that is {outcome}"

    def _check_log(self, row: dict[str, Any], log: Sent, then: Sent | None) -> None:
        faults = {each["fault"]: each["repaired"] for each in self.findings if each["log_id"] == log.id}
        may_be_gone = log.deleting or log.project in self.swept
        may_differ = log.redacting - (then.redacted if then else frozenset())
        assert may_be_gone or not GONE & faults.keys(), (log.id, faults)
        assert may_differ or "damaged" not in faults, (log.id, faults)
        if GONE & faults.keys():
            anew = all(faults[fault] for fault in GONE & faults.keys())
            self.outcomes["made anew" if anew else "deleted meanwhile"] += 1
            assert row["state"] == ("open" if anew else "finished")
            return
        left = {fault for fault, repaired in faults.items() if not repaired} - GONE - {"damaged"}
        assert not left, (log.id, faults)
        self.outcomes[row["state"]] += 1
        text = self._raw(log.id)
        self._check_text(text, log, then.redacted if then else frozenset(), log.redacting)
        if row["state"] == "finished":
            assert len(text) == len(log.payload)
            if text == log.payload:
                assert row["completeness"] == "verified" if then and then.finished else row["completeness"]
            else:
                self.outcomes["redacted before" if then and then.redacted else "redacted meanwhile"] += 1
                assert (row["completeness"], row["sha256"]) == ("omitted", None) or "damaged" in faults, row
        else:
            assert not (then and then.finished), f"log {log.id} is open again"
            assert then is None or may_differ or row["received"] >= then.acknowledged
            self.outcomes["cut"] += len(text) < len(log.payload)

    def _check_text(self, text: bytes, log: Sent, must: Iterable[int], may: Iterable[int]) -> None:
        """Line for line; the last one may be cut."""
        for number, (line, sent) in enumerate(zip(text.splitlines(keepends=True), log.lines, strict=False), 1):
            stars = b"*" * (len(sent) - 1) + b"\n"
            if number in must:
                assert line == stars, f"line {number} of log {log.id} is back: {line!r}"
            else:
                assert sent.startswith(line) or (number in may and line == stars), f"line {number} of log {log.id}"
        assert len(text) <= len(log.payload)

    def _raw(self, number: int) -> bytes:
        answer = self.writer.http.get(f"/logs/{number}/raw")
        assert answer.status_code == 200, answer.text
        return answer.content

    def check_who_may(self, tokens: list[str], project: str, member: str) -> None:
        """Tokens and members are there."""
        assert tokens
        for token in tokens:
            headers = {"Authorization": f"Bearer {token}"}
            assert httpx.get(f"{self.server.url}/api/v1/projects/{project}", headers=headers).status_code == 200
        members = self._get(f"/projects/{project}/members")
        assert members
        assert [each["user"] for each in members["items"]] == [member]

    def check_audit(self, project: str) -> None:
        """Whoever deleted or redacted something before the copy stands there."""
        entries: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = self._get(f"/audit?project={project}&limit=200{cursor}")
            assert page
            entries += page["items"]
            if page["next"] is None:
                break
            cursor = f"&cursor={page['next']}"
        deleted = {each["build_number"] for each in entries if each["act"] == "delete"}
        redacted = {each["log_id"] for each in entries if each["act"] == "redact"}
        before = [log for log in self.then.values() if log.project == project]
        assert any(log.deleted for log in before)
        assert {log.number for log in before if log.deleted} <= deleted
        assert {log.id for log in before if log.redacted} <= redacted

    def check_webhooks(self, receiver: Receiver, project: str) -> None:
        """What had happened before the copy is told."""
        finished = {log.build for log in self.then.values() if log.project == project and log.finished}
        assert finished

        def told() -> set[int]:
            return {each.json["build"]["id"] for each in receiver.requests if each.json["event"] == "buildFinished"}

        with receiver.came:
            assert receiver.came.wait_for(lambda: finished <= told(), 60), finished - told()

    def do_again(self) -> None:
        """What the document leaves to the administrator: delete and redact again what was, while the copy was taken."""
        for each in self.findings:
            if each["repaired"] or each["log_id"] not in self.rows:
                continue
            log = self.now[each["log_id"]]
            if each["fault"] in GONE:
                assert ask(self.writer, "DELETE", f"/logs/{log.id}").status_code in (204, 404)
                self.rows.pop(log.id)
            elif self.rows[log.id]["state"] == "finished":
                self._redact(log)

    def _redact(self, log: Sent) -> None:
        for line in sorted(log.redacting):
            answer = redact(self.writer, log.id, line)
            if answer.status_code == 409:  # its row is from before its end: upkeep writes that a minute later
                assert self.writer.finish(log.id, unverified=True).status_code == 200
                answer = redact(self.writer, log.id, line)
            assert answer.status_code == 200, answer.text

    def go_on(self) -> None:
        """The writers of open logs send what is missing, and finish them."""
        for number, row in self.rows.items():
            if row["state"] != "open":
                continue
            log = self.now[number]
            payload, received = log.payload, row["received"]
            if received < len(payload):
                answer = self.writer.chunks(number, entry(0, payload[received:]), received)
                assert answer.status_code == 200, answer.text
            whole = self._raw(number) == payload
            body = {"received": len(payload), "sha256": log.sha256, "unverified": not whole}
            finished = self.writer.finish(number, **body)
            assert finished.status_code == 200, finished.text
            if whole:
                assert finished.json()["completeness"] == "verified"
            else:
                assert log.redacting or log.deleting or log.project in self.swept, f"log {number} lacks something"
                if log.redacting:
                    self._redact(log)
            self.writer.post(f"/builds/{log.build}/finish", {"results": "success"})

    def check_new_ids(self) -> None:
        """What was created after the copy is gone, and nothing new has its ids or its bytes."""
        lost = [log for number, log in self.now.items() if number not in self.then]
        assert lost
        for _ in range(3):
            log = self.writer.new_log(project=lost[-1].project, builder="http")
            assert log["received"] == 0
            assert log["id"] > max(self.now)
            assert log["build"] > max(each.build for each in self.now.values())
            assert self.writer.finish(log["id"], received=0).status_code == 200
            self.writer.post(f"/builds/{log['build']}/finish", {"results": "success"})
