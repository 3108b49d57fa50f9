// ical.js, the parser of Thunderbird and Nextcloud: node icaljs.cjs FROM UNTIL URL…
// Prints for each address what it shows between two instants (seconds): [[uid, start, end, status, summary], …].
const ICAL = require("ical.js");

const [from, until, ...urls] = process.argv.slice(2);

async function text(url) {
    const answer = await fetch(url);
    if (answer.status !== 200) throw new Error(`${answer.status} for a feed`);
    return answer.text();
}

function occurrences(event) {
    if (!event.isRecurring()) return [event.getOccurrenceDetails(event.startDate)];
    const found = [];
    const iterator = event.iterator();
    for (let next = iterator.next(); next && next.toUnixTime() < until; next = iterator.next()) {
        found.push(event.getOccurrenceDetails(next));
    }
    return found;
}

function shown(ics) {
    const calendar = new ICAL.Component(ICAL.parse(ics));
    ICAL.TimezoneService.reset(); // each calendar is read with its own VTIMEZONE
    for (const zone of calendar.getAllSubcomponents("vtimezone")) ICAL.TimezoneService.register(zone);
    const events = calendar.getAllSubcomponents("vevent").map((component) => new ICAL.Event(component));
    const masters = events.filter((event) => !event.isRecurrenceException());
    const alone = []; // dates without a rule, for which Thunderbird makes one up
    for (const exception of events.filter((event) => event.isRecurrenceException())) {
        const master = masters.find((event) => event.uid === exception.uid);
        if (master) master.relateException(exception);
        else alone.push(exception);
    }
    return [...masters, ...alone]
        .flatMap(occurrences)
        .map(({ item, startDate, endDate }) => [
            item.uid,
            startDate.toUnixTime(),
            endDate.toUnixTime(),
            item.component.getFirstPropertyValue("status"),
            item.summary,
        ])
        .filter(([, start, end]) => end > from && start < until);
}

Promise.all(urls.map(text)).then((all) => console.log(JSON.stringify(all.map(shown))));
