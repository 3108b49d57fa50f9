"""A real name server in the test's own loop, that knows what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from dns import flags, message, rcode, rdatatype, rrset


class Names(asyncio.DatagramProtocol):
    """`records[name, "TXT"]`: what is answered; a name of which nothing is known does not exist."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        self.address = ("", 0)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        query = message.from_wire(data)
        answer = message.make_response(query)
        answer.flags |= flags.RA
        [question] = query.question
        name, kind = question.name.to_text(omit_final_dot=True), rdatatype.to_text(question.rdtype)
        found = self.records.get((name, kind), [])
        if found:
            answer.answer.append(rrset.from_text(question.name, 60, "IN", kind, *found))
        elif not any(known == name for known, _ in self.records):
            answer.set_rcode(rcode.NXDOMAIN)
        self.transport.sendto(answer.to_wire(), addr)


@asynccontextmanager
async def running_names() -> AsyncIterator[Names]:
    """The name server, while this lasts."""
    loop = asyncio.get_running_loop()
    transport, names = await loop.create_datagram_endpoint(Names, local_addr=("127.0.0.1", 0))
    names.address = transport.get_extra_info("sockname")
    try:
        yield names
    finally:
        transport.close()
