"""Audit logs: append-only, each entry holds the hash of the one before it.

Changing, removing or inserting an entry breaks every hash after it; cutting off the end disagrees with the stored head.
With a key the hashes are HMACs, so that who can write to the server but lacks the key cannot make a new chain either.
The embedded servers let the user ``services`` write logs named ``services…``, the user ``signals`` those named ``signals…``.
"""

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from services.common.errors import Aborted, CorruptData
from services.common.state.client import Connection, text
from services.common.state.keys import Keys
from services.common.state.scripts import APPEND_AUDIT

_ATTEMPTS = 50
_PAGE = 1000


class AuditEntry(msgspec.Struct, frozen=True):
    """One entry: who (`tenant`, `subject`) did what (`action`, `details`) when (`at`, city time, unix s)."""

    at: int
    tenant: str
    subject: str
    action: str
    details: dict[str, str | int | float | bool | None] = {}
    sequence: int = 0
    previous: str = ""
    hash: str = ""


@dataclass(frozen=True, slots=True)
class Audit:
    """Audit logs of one city, on the durable server."""

    connection: Connection
    keys: Keys
    key: bytes = b""

    async def append(self, log: str, entries: Sequence[AuditEntry]) -> list[AuditEntry]:
        """Append entries as one; returns them with sequence number and hashes, once they are safe on disk."""
        if not entries:
            return []
        keys = [self.keys.audit(log), self.keys.audit_head(log)]
        for _ in range(_ATTEMPTS):
            sequence, previous = await self._head(log)
            chained = self._chain(entries, sequence, previous)
            last = chained[-1]
            arguments = [sequence, previous, last.sequence, last.hash, *map(msgspec.json.encode, chained)]
            if await self.connection.evaluate(APPEND_AUDIT, keys, arguments):
                return chained
        raise Aborted(f"the audit log {log} is written by too many at once; try again")

    async def read(self, log: str, *, after: int = 0, count: int = _PAGE) -> list[AuditEntry]:
        """Entries with sequence numbers above `after`, at most `count`."""
        found: list[AuditEntry] = []
        position = "-"
        while len(found) < count:
            page = await self.connection.read("XRANGE", self.keys.audit(log), position, "+", "COUNT", _PAGE)
            if not page:
                break
            found += [entry for entry in (_decode(fields) for _, fields in page) if entry.sequence > after]
            position = f"({text(page[-1][0])}"
        return found[:count]

    async def verify(self, log: str) -> int:
        """Check the whole chain; returns the number of entries.

        Raises
        ------
        CorruptData
            If an entry was changed, removed or inserted, or the end was cut off; the message says where.
        """
        sequence, previous, position = 0, "", "-"
        while page := await self.connection.read("XRANGE", self.keys.audit(log), position, "+", "COUNT", _PAGE):
            for _, fields in page:
                entry = _decode(fields)
                sequence += 1
                if (
                    entry.sequence != sequence
                    or entry.previous != previous
                    or not hmac.compare_digest(entry.hash, self._hash(entry))
                ):
                    raise CorruptData(f"audit log {log}: entry {sequence} does not follow from the one before it")
                previous = entry.hash
            position = f"({text(page[-1][0])}"
        if (sequence, previous) != await self._head(log):
            raise CorruptData(f"audit log {log}: it ends at entry {sequence}, but its head is another; its end was cut off")
        return sequence

    async def _head(self, log: str) -> tuple[int, str]:
        sequence, last = await self.connection.read("HMGET", self.keys.audit_head(log), "sequence", "hash")
        return int(sequence or 0), text(last or b"")

    def _chain(self, entries: Sequence[AuditEntry], sequence: int, previous: str) -> list[AuditEntry]:
        chained = []
        for entry in entries:
            sequence += 1
            linked = msgspec.structs.replace(entry, sequence=sequence, previous=previous, hash="")
            linked = msgspec.structs.replace(linked, hash=self._hash(linked))
            previous = linked.hash
            chained.append(linked)
        return chained

    def _hash(self, entry: AuditEntry) -> str:
        content = msgspec.to_builtins(entry)
        del content["hash"]
        data = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        return hmac.new(self.key, data, hashlib.sha256).hexdigest() if self.key else hashlib.sha256(data).hexdigest()


def _decode(fields: dict[bytes, bytes]) -> AuditEntry:
    try:
        return msgspec.json.decode(fields[b"entry"], type=AuditEntry)
    except (KeyError, msgspec.DecodeError) as error:
        raise CorruptData(f"an audit entry cannot be read: {error}") from None
