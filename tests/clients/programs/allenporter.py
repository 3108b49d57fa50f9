"""allenporter/ical, Home Assistant's strict parser: allenporter.py FROM UNTIL URL…

Prints for each address what it shows between two instants (seconds): [[uid, start, end, status, summary], …].
"""

import asyncio
import json
import sys
from datetime import UTC, datetime

from ical.calendar_stream import IcsCalendarStream

start, until = (datetime.fromtimestamp(int(argument), UTC) for argument in sys.argv[1:3])


async def shown(url: str) -> list[list[str | float]]:
    calendar = await IcsCalendarStream.calendar_from_url(url)
    return [
        [event.uid, event.start_datetime.timestamp(), event.end_datetime.timestamp(), event.status, event.summary]
        for event in calendar.timeline_tz(UTC).overlapping(start, until)
    ]


async def main() -> None:
    print(json.dumps(await asyncio.gather(*map(shown, sys.argv[3:]))))


asyncio.run(main())
