"""The state of the city: latest values, events, jobs, snapshots and audit, in two servers that speak the Redis protocol.

Use `State` and the records; only this package imports ``redis``.
"""

from services.common.state.documents import Document
from services.common.state.facade import State
from services.common.state.jobs import Job, JobState
from services.common.state.latest import Change, LatestChanges, Published
from services.common.state.snapshots import Snapshot
from services.common.state.streams import Delivery, StoredEvent

__all__ = [
    "Change",
    "Delivery",
    "Document",
    "Job",
    "JobState",
    "LatestChanges",
    "Published",
    "Snapshot",
    "State",
    "StoredEvent",
]
