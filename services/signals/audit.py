"""Every command and order, signed and appended to the hash-chained log before anybody is told."""

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from traboule.signals.v1 import control_pb2, intersection_pb2, performance_pb2

from services.common.errors import ConfigError, CorruptData
from services.common.identity import Principal
from services.common.state import State
from services.common.state.audit import AuditEntry

LOG = "signals"


class CommandSigner:
    """Signs commands with the service's own Ed25519 key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.public_key = raw
        self.key_id = raw.hex()[:16]

    @classmethod
    def from_file(cls, path: Path) -> "CommandSigner":
        """Key of a PEM file; a new key is written (readable by the owner only) where there is none.

        Raises
        ------
        ConfigError
            If the file holds no Ed25519 private key.
        """
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            key = Ed25519PrivateKey.generate()
            pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(pem)
            return cls(key)
        try:
            loaded = serialization.load_pem_private_key(path.read_bytes(), None)
        except (ValueError, TypeError) as error:
            raise ConfigError(f"{path} is not a private key in PEM: {error}", field="signals.key_file") from error
        if not isinstance(loaded, Ed25519PrivateKey):
            raise ConfigError(f"{path} holds no Ed25519 key", field="signals.key_file")
        return cls(loaded)

    def sign(self, command: control_pb2.SignalCommand) -> None:
        """Fill `key_id` and `signature`."""
        command.key_id, command.signature = self.key_id, b""
        command.signature = self._key.sign(command.SerializeToString(deterministic=True))


def verify_command(command: control_pb2.SignalCommand, public_key: bytes) -> bool:
    """Whether the signature is that of the key."""
    bare = control_pb2.SignalCommand()
    bare.CopyFrom(command)
    bare.signature = b""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(command.signature, bare.SerializeToString(deterministic=True))
    except InvalidSignature:
        return False
    return True


@dataclass(frozen=True, slots=True)
class AuditLog:
    """The audit log of signals of one city."""

    state: State

    async def append_commands(
        self, commands: Sequence[control_pb2.SignalCommand], at_s: int, notes: Sequence[tuple[str, str, str]] = ()
    ) -> None:
        """Append notes (action, intersection, detail) and commands of one second as one; returns when they are safe on disk."""
        await self.state.audit.append(
            LOG,
            [
                AuditEntry(at=at_s, tenant="", subject="signals", action=action, details={"intersection": x, "detail": detail})
                for action, x, detail in notes
            ]
            + [
                AuditEntry(
                    at=at_s, tenant="", subject="signals", action="command",
                    details={
                        "intersection": c.intersection_id, "detail": _describe(c),
                        "command": base64.b64encode(c.SerializeToString(deterministic=True)).decode(),
                    },
                )
                for c in commands
            ],
        )  # fmt: skip

    async def append_order(self, who: Principal, at_s: int, action: str, intersection_id: str, detail: str) -> None:
        """Append what a caller ordered."""
        details: dict[str, str | int | float | bool | None] = {
            "intersection": intersection_id, "detail": detail, "role": str(who.role or ""),
        }  # fmt: skip
        entry = AuditEntry(at=at_s, tenant=who.tenant, subject=who.subject, action=action, details=details)
        await self.state.audit.append(LOG, [entry])

    async def read(
        self, *, after: int, count: int, intersection_id: str = "", from_s: int = 0, to_s: int = 0
    ) -> tuple[list[performance_pb2.AuditEntry], bool]:
        """Entries after a sequence number, and whether more follow."""
        found: list[performance_pb2.AuditEntry] = []
        while page := await self.state.audit.read(LOG, after=after, count=1000):
            for entry in page:
                after = entry.sequence
                wanted = not intersection_id or entry.details.get("intersection") == intersection_id
                if not wanted or entry.at < from_s or (to_s and entry.at >= to_s):
                    continue
                if len(found) == count:
                    return found, True
                found.append(_write_entry(entry))
        return found, False

    async def is_intact(self) -> bool:
        """Whether the chain of the whole log is unbroken."""
        try:
            await self.state.audit.verify(LOG)
        except CorruptData:
            return False
        return True


def _describe(command: control_pb2.SignalCommand) -> str:
    """A command in words: what is shown or proposed, why, and what the guard changed."""
    green = (intersection_pb2.ASPECT_GREEN, intersection_pb2.ASPECT_GREEN_YIELD)
    shown = ", ".join(a.signal_group_id for a in command.aspects if a.aspect in green) or "nobody"
    what = f"stage {command.stage_id}, green: {shown}" if command.binding else f"proposes stage {command.stage_id}"
    guard = "".join(f"; the guard {text}" for text in command.guard_interventions)
    return f"{what} ({command.reason}{guard})"


def _write_entry(entry: AuditEntry) -> performance_pb2.AuditEntry:
    details = entry.details
    message = performance_pb2.AuditEntry(
        sequence=entry.sequence,
        at_unix_ms=entry.at * 1000,
        actor=f"{entry.subject}@{entry.tenant}" if entry.tenant else entry.subject,
        role=str(details.get("role") or ""),
        action=entry.action,
        intersection_id=str(details.get("intersection") or ""),
        detail=str(details.get("detail") or ""),
        previous_hash=bytes.fromhex(entry.previous),
        hash=bytes.fromhex(entry.hash),
    )
    command = details.get("command")
    if command:
        message.command.ParseFromString(base64.b64decode(str(command)))
    return message
