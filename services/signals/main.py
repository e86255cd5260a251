"""Wiring of the signals service."""

import sys

import grpc
from traboule.common.v1 import stamp_pb2
from traboule.signals.v1 import signals_service_pb2_grpc

from services.city.snapshot import open_snapshot
from services.common.config import Config, load_section
from services.common.main import service_main
from services.common.server import serve
from services.common.state import State
from services.signals.audit import AuditLog, CommandSigner
from services.signals.config import SignalsConfig
from services.signals.control_loop import ControlLoop
from services.signals.lease import Lease
from services.signals.loader import SiteLoader
from services.signals.room import ControlRoom
from services.signals.servicer import SignalsServicer

SERVICE = "traboule.signals.v1.SignalsService"


async def run(config: Config) -> None:
    """Serve the signals of the configured city until stopped."""
    settings = load_section("signals", SignalsConfig)
    clock = config.city_clock()
    snapshot = open_snapshot(config.home, config.city)
    signer = CommandSigner.from_file(settings.key_file or config.home / "keys" / "signals.pem")
    stamp = stamp_pb2.AnswerStamp(city=config.city, snapshot_id=snapshot.id, snapshot_epoch=snapshot.epoch)
    async with State.connect(config) as state:
        audit = AuditLog(state)
        lease = Lease(state)
        loop = ControlLoop(clock, signer, audit, settings, lease)
        room = ControlRoom(SiteLoader(snapshot.street, snapshot.signal_sites), loop, state)
        loop.on_control = room.restore
        if not await lease.attempt() or not await loop.take_control():
            await room.restore()  # stands by: to be able to tell

        def register(server: grpc.aio.Server) -> list[str]:
            servicer = SignalsServicer(room, loop, audit, clock, stamp)
            signals_service_pb2_grpc.add_SignalsServiceServicer_to_server(servicer, server)
            return [SERVICE]

        async def ready() -> str | None:
            await state.jobs.connection.ping()
            return None

        await serve(config, "signals", register, readiness={"durable state": ready}, background=[lease.keep, loop.run])


if __name__ == "__main__":
    sys.exit(service_main("signals", run))
