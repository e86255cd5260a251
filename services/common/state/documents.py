"""Documents: small values by id that one service owns (registered feeds, plans of delivery rounds, signal modes)."""

import secrets
from dataclasses import dataclass
from typing import Any

from services.common.errors import Aborted, CorruptData, NotFound
from services.common.state.client import Connection, text
from services.common.state.codec import decode, encode
from services.common.state.keys import Keys
from services.common.state.scripts import PUT_DOCUMENT


@dataclass(frozen=True, slots=True)
class Document:
    """A stored value and its version, which each write raises by one."""

    id: str
    version: int
    value: Any


@dataclass(frozen=True, slots=True)
class Documents:
    """Documents of one city on one state server."""

    connection: Connection
    keys: Keys

    async def put(
        self,
        collection: str,
        document_id: str,
        value: Any,
        *,
        expected_version: int | None = None,
        announce_in: str = "",
        kept_s: int = 0,
    ) -> int:
        """Write a document; returns its new version. With `announce_in` (a stream) the version is announced there.

        With `kept_s` the whole collection is forgotten so many seconds after the last write that says so.

        Raises
        ------
        Aborted
            If `expected_version` (0: must not exist yet) is given and the stored version is another.
        """
        expected = -1 if expected_version is None else expected_version
        arguments = [document_id, encode(value), expected, secrets.token_hex(8), kept_s]
        keys = [self.keys.documents(collection), *([announce_in] if announce_in else [])]
        written, version = await self.connection.evaluate(PUT_DOCUMENT, keys, arguments)
        if not written:
            raise Aborted(
                f"{collection}/{document_id} has version {version}, not {expected_version}: "
                "somebody else changed it meanwhile; read it again and repeat"
            )
        return int(version)

    async def find(self, collection: str, document_id: str, cls: Any = Any) -> Document | None:
        """A document decoded as `cls`, None when it does not exist."""
        data = await self.connection.read("HGET", self.keys.documents(collection), document_id)
        return None if data is None else _parse(document_id, data, cls)

    async def get(self, collection: str, document_id: str, cls: Any = Any) -> Document:
        """Like `find`, but raises `NotFound`."""
        document = await self.find(collection, document_id, cls)
        if document is None:
            raise NotFound(f"{collection}/{document_id} does not exist")
        return document

    async def list_all(self, collection: str, cls: Any = Any) -> list[Document]:
        """List all documents of a collection, by id."""
        reply = await self.connection.read("HGETALL", self.keys.documents(collection))
        return sorted((_parse(text(name), data, cls) for name, data in reply.items()), key=lambda document: document.id)

    async def delete(self, collection: str, document_id: str) -> bool:
        """Delete a document; False when there was none (or the deletion was repeated after a restart)."""
        return bool(await self.connection.execute("HDEL", self.keys.documents(collection), document_id))


def _parse(document_id: str, data: bytes, cls: Any) -> Document:
    version, _, rest = data.partition(b",")
    _, separator, content = rest.partition(b",")
    if not separator or not version.isdigit():
        raise CorruptData(f"the stored document {document_id} is damaged")
    return Document(document_id, int(version), decode(content, cls))
