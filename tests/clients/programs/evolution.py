"""Evolution Data Server's subscriptions: evolution.py FROM UNTIL NAME… (run with the system's Python, under D-Bus)

Each name is a calendar in Evolution's configuration. Asks for it again, and prints what the server then shows between
two instants (seconds): [[uid, start, end, status, summary], …] for each.
"""

import json
import sys

import gi

gi.require_version("ECal", "2.0")
gi.require_version("EDataServer", "1.2")
gi.require_version("ICalGLib", "3.0")
from gi.repository import ECal, EDataServer, ICalGLib  # noqa: E402 - the versions come first

START, UNTIL = int(sys.argv[1]), int(sys.argv[2])
AT_ONCE = 0xFFFFFFFF  # do not wait for the network: it is this machine


def shown(registry, name):
    client = ECal.Client.connect_sync(registry.ref_source(name), ECal.ClientSourceType.EVENTS, AT_ONCE, None)
    client.refresh_sync(None)
    found = []

    def add(component, start, end, *_):
        status = component.get_first_property(ICalGLib.PropertyKind.STATUS_PROPERTY)
        found.append(
            [
                component.get_uid(),
                start.as_timet_with_zone(start.get_timezone()),
                end.as_timet_with_zone(end.get_timezone()),
                status and ICalGLib.Property.status_to_string(status.get_status()),
                component.get_summary(),
            ]
        )
        return True

    client.generate_instances_sync(START, UNTIL, None, add)
    return found


registry = EDataServer.SourceRegistry.new_sync(None)
print(json.dumps([shown(registry, name) for name in sys.argv[3:]]))
