// node-ical, of Node-RED, MagicMirror and Homey: node nodeical.cjs FROM UNTIL URL…
// Prints for each address what it shows between two instants (seconds): [[uid, start, end, status, summary], …].
const ical = require("node-ical");

const [from, until, ...urls] = process.argv.slice(2);
const window = { from: new Date(from * 1000), to: new Date(until * 1000), expandOngoing: true };

// A property with parameters comes as an object
const plain = (value) => (typeof value === "object" ? value.val : value);

function shown(calendar) {
    return Object.values(calendar)
        .filter((component) => component.type === "VEVENT")
        .flatMap((event) => ical.expandRecurringEvent(event, window))
        .map(({ start, end, event, summary }) => [
            event.uid,
            start.getTime() / 1000,
            end.getTime() / 1000,
            event.status,
            plain(summary),
        ]);
}

Promise.all(urls.map((url) => ical.async.fromURL(url))).then((all) => console.log(JSON.stringify(all.map(shown))));
