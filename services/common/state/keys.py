"""Every key in the state servers. No other module writes a key as text.

====================================  ======  =======  =============================================================
key                                   type    server   content
====================================  ======  =======  =============================================================
latest:<city>:epoch                   string  live     epoch of the newest change of any feed
latest:<city>:feeds                   hash    live     ``<kind>|<feed>`` → msgpack of the feed's state
latest:<city>:<kind>:<feed>           hash    live     entity → digest and record
latest:<city>:<kind>:<feed>:epochs    zset    live     entity (also vanished ones) by the epoch of its last change
latest:<city>:<kind>:<feed>:floor     string  live     epoch before which vanished entities are forgotten
events:<city>:<kind>                  stream  live     events; kind ``changes`` tells which feed changed
dead:<city>:<kind>                    stream  live     events and jobs that failed three times
snapshot:<city>:<name>                hash    live     pointer: epoch, blob, moment
snapshot:<city>:<name>:<sha256>       string  live     immutable blob
documents:<city>:<collection>         hash    either   id → version and content
jobs:<city>:<queue>                   stream  durable  ids waiting for a worker (consumer group)
jobs:<city>:<queue>:job:<id>          hash    durable  one job: state, payload, result, attempts
jobs:<city>:<queue>:log:<id>          stream  durable  progress of one job
jobs:<city>:<queue>:tenant:<tenant>   zset    durable  ids of a tenant's jobs by moment of submission
signals:<city>:<name>                 any     durable  signal commands; a user of its own may touch them
audit:<city>:<log>                    stream  durable  append-only, hash-chained
audit:<city>:<log>:head               hash    durable  sequence number and hash of the last entry
====================================  ======  =======  =============================================================

Family first, then city, so that access rules of the servers can be written by family.
"""

from dataclasses import dataclass
from urllib.parse import quote

FAMILIES = ("latest", "events", "dead", "snapshot", "documents", "jobs", "signals", "audit")
CHANGES = "changes"
SIGNALS_DOCUMENTS = "signals"


def escape(part: str) -> str:
    """Text as one part of a key: everything but letters, digits and ``_.-~@/`` is percent-encoded."""
    return quote(part, safe="@/")


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one city."""

    city: str

    def _key(self, family: str, *parts: str) -> str:
        return ":".join((family, escape(self.city), *map(escape, parts)))

    def epoch(self) -> str:
        """Epoch counter of the latest state."""
        return self._key("latest", "epoch")

    def feeds(self) -> str:
        """Directory of published feeds."""
        return self._key("latest", "feeds")

    def latest(self, kind: str, feed: str) -> str:
        """Latest records of one feed."""
        return self._key("latest", kind, feed)

    def latest_epochs(self, kind: str, feed: str) -> str:
        """When each entity of a feed changed last."""
        return self._key("latest", kind, feed, "epochs")

    def latest_floor(self, kind: str, feed: str) -> str:
        """Oldest epoch from which changes of a feed are still complete."""
        return self._key("latest", kind, feed, "floor")

    def events(self, kind: str) -> str:
        """Stream of events."""
        return self._key("events", kind)

    def dead(self, kind: str) -> str:
        """Stream of what could not be handled."""
        return self._key("dead", kind)

    def snapshot(self, name: str) -> str:
        """Pointer of a snapshot."""
        return self._key("snapshot", name)

    def snapshot_blob(self, name: str, sha256: str) -> str:
        """One immutable snapshot."""
        return self._key("snapshot", name, sha256)

    def documents(self, collection: str) -> str:
        """Documents of a collection; collections ``signals/…`` belong to the signals' own user."""
        head, _, rest = collection.partition("/")
        return self._key("signals", rest) if head == SIGNALS_DOCUMENTS and rest else self._key("documents", collection)

    def jobs(self, queue: str) -> str:
        """Stream of waiting jobs."""
        return self._key("jobs", queue)

    def job(self, queue: str, job_id: str) -> str:
        """One job."""
        return self._key("jobs", queue, "job", job_id)

    def job_log(self, queue: str, job_id: str) -> str:
        """Progress of one job."""
        return self._key("jobs", queue, "log", job_id)

    def jobs_of(self, queue: str, tenant: str) -> str:
        """Jobs of a tenant."""
        return self._key("jobs", queue, "tenant", tenant)

    def audit(self, log: str) -> str:
        """Audit log."""
        return self._key("audit", log)

    def audit_head(self, log: str) -> str:
        """Head of an audit log's hash chain."""
        return self._key("audit", log, "head")
