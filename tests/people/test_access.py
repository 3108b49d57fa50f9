"""The rights table, typed a second time from the contract (§ 4) and compared cell by cell."""

from typing import get_args

import pytest

from perinat_sched.people.access import (
    Action,
    Actor,
    BridgeRef,
    FeedScope,
    NetworkRef,
    RoomRef,
    SiteRef,
    Subject,
    feed_detail,
    may,
    sight,
)
from tests.builders import a_directory, a_partner, a_site

DIRECTORY = a_directory(
    a_site("calais"),
    a_site("lille", networks=("perinat", "hpsm")),
    a_site("seclin", networks=("hpsm",)),
    a_partner("montreal"),
    a_site("tours", networks=("loire",)),
)

ACTORS = {
    "admin": Actor(token="1", role="admin"),
    "calais": Actor(token="2", role="coordinator", sites=frozenset({"calais"})),
    "perinat": Actor(token="3", role="coordinator", networks=frozenset({"perinat"})),
    "both": Actor(token="4", role="coordinator", sites=frozenset({"seclin"}), networks=frozenset({"perinat"})),
    "clinician": Actor(token="5", role="clinician", sites=frozenset({"calais"}), person="anne"),
    "person": Actor(token="6", role="clinician", person="anne"),
}

OWN = Subject.of("calais", ["lille"], "perinat")
WITH = Subject.of("lille", ["lille", "calais"], "perinat")
NEAR = Subject.of("lille", ["montreal"], "perinat")
OTHER = Subject.of("lille", ["seclin"], "hpsm")
FAR = Subject.of("tours", (), "loire")
SESSIONS = {"OWN": OWN, "WITH": WITH, "NEAR": NEAR, "OTHER": OTHER, "FAR": FAR}
OBJECTS = {
    "-": None,
    **SESSIONS,
    "calais-in-OWN": SiteRef("calais", OWN),
    "lille-in-OWN": SiteRef("lille", OWN),
    "calais-in-WITH": SiteRef("calais", WITH),
    "lille-in-WITH": SiteRef("lille", WITH),
    "montreal-in-NEAR": SiteRef("montreal", NEAR),
    "lille-in-OTHER": SiteRef("lille", OTHER),
    "seclin-in-OTHER": SiteRef("seclin", OTHER),
    "tours-in-FAR": SiteRef("tours", FAR),
    **{code: SiteRef(code) for code in ("calais", "lille", "seclin", "tours", "unknown")},
    **{code: RoomRef(code) for code in ("calais-1", "lille-1", "seclin-1", "tours-1", "unknown-1")},
    "mcu": BridgeRef("mcu"),
    **{f"of-{code}": NetworkRef(code) for code in ("perinat", "hpsm", "loire")},
    **{f"site:{code}": FeedScope("site", code) for code in ("calais", "lille", "seclin", "tours")},
    **{f"room:{code}": FeedScope("room", code) for code in ("calais-1", "lille-1", "seclin-1", "tours-1")},
    **{f"network:{code}": FeedScope("network", code) for code in ("perinat", "hpsm", "loire")},
    **{f"person:{code}": FeedScope("person", code) for code in ("anne", "paul")},
}

# OWN is hosted by Calais; in WITH it takes part; NEAR is in its network, without it; OTHER is hosted by a site of
# that network in another network; FAR has nothing in common. Calais is nobody's site but "calais"'s and "clinician"'s.
MAY = """
                                    admin  calais  perinat  both  clinician  person
read_directory  -                   yes    yes     yes      yes   yes        yes
search          -                   yes    yes     yes      yes   yes        yes

read_sessions   OWN                 yes    yes     yes      yes   yes        no
read_sessions   WITH                yes    yes     yes      yes   yes        no
read_sessions   NEAR                yes    yes     yes      yes   no         no
read_sessions   OTHER               yes    no      no       yes   no         no
read_sessions   FAR                 yes    no      no       no    no         no

book            OWN                 yes    yes     yes      yes   no         no
book            WITH                yes    no      yes      yes   no         no
book            NEAR                yes    no      yes      yes   no         no
book            OTHER               yes    no      no       no    no         no
book            FAR                 yes    no      no       no    no         no
change          OWN                 yes    yes     yes      yes   no         no
change          WITH                yes    no      yes      yes   no         no
change          NEAR                yes    no      yes      yes   no         no
change          OTHER               yes    no      no       no    no         no
change          FAR                 yes    no      no       no    no         no

answer          calais-in-WITH      yes    yes     yes      yes   no         no
answer          lille-in-WITH       yes    no      yes      yes   no         no
answer          montreal-in-NEAR    yes    no      yes      yes   no         no
answer          lille-in-OTHER      yes    no      no       no    no         no
answer          seclin-in-OTHER     yes    no      no       yes   no         no
answer          tours-in-FAR        yes    no      no       no    no         no

read_notices    calais-in-WITH      yes    yes     yes      yes   yes        no
read_notices    lille-in-WITH       yes    no      yes      yes   no         no
read_notices    calais-in-OWN       yes    yes     yes      yes   yes        no
read_notices    lille-in-OWN        yes    yes     yes      yes   yes        no
read_notices    montreal-in-NEAR    yes    no      yes      yes   no         no
read_notices    lille-in-OTHER      yes    no      no       no    no         no
read_notices    seclin-in-OTHER     yes    no      no       yes   no         no
read_notices    tours-in-FAR        yes    no      no       no    no         no

close           calais              yes    yes     yes      yes   no         no
close           lille               yes    no      yes      yes   no         no
close           seclin              yes    no      no       yes   no         no
close           tours               yes    no      no       no    no         no
close           unknown             yes    no      no       no    no         no
close           calais-1            yes    yes     yes      yes   no         no
close           lille-1             yes    no      yes      yes   no         no
close           seclin-1            yes    no      no       yes   no         no
close           tours-1             yes    no      no       no    no         no
close           unknown-1           yes    no      no       no    no         no
close           mcu                 yes    no      no       no    no         no

feed            site:calais         yes    yes     yes      yes   yes        no
feed            site:lille          yes    no      yes      yes   no         no
feed            site:seclin         yes    no      no       yes   no         no
feed            site:tours          yes    no      no       no    no         no
feed            room:calais-1       yes    yes     yes      yes   no         no
feed            room:lille-1        yes    no      yes      yes   no         no
feed            room:seclin-1       yes    no      no       yes   no         no
feed            room:tours-1        yes    no      no       no    no         no
feed            network:perinat     yes    yes     yes      yes   no         no
feed            network:hpsm        yes    no      no       yes   no         no
feed            network:loire       yes    no      no       no    no         no
feed            person:anne         yes    no      no       no    yes        yes
feed            person:paul         yes    no      no       no    no         no

figures         of-perinat          yes    no      yes      yes   no         no
figures         of-hpsm             yes    no      no       no    no         no
figures         of-loire            yes    no      no       no    no         no

tokens          -                   yes    no      no       no    no         no
audit           -                   yes    no      no       no    no         no
"""

SIGHT = """
        admin  calais  perinat  both  clinician  person
OWN     full   full    full     full  full       none
WITH    full   full    full     full  full       none
NEAR    full   kind    full     full  none       none
OTHER   full   none    none     full  none       none
FAR     full   none    none     none  none       none
"""


def _cells(table: str):
    """Each cell of a table: the names before it in its row, the actor above it, what it says."""
    head, *rows = [line.split() for line in table.splitlines() if line.strip()]
    return [
        pytest.param(*row[: -len(head)], actor, cell, id=" ".join([actor, *row[: -len(head)]]))
        for row in rows
        for actor, cell in zip(head, row[-len(head) :], strict=True)
    ]


@pytest.mark.parametrize(("action", "name", "actor", "expected"), _cells(MAY))
def test_everybody_may_do_what_the_contract_says_and_no_more(action, name, actor, expected):
    assert may(ACTORS[actor], action, OBJECTS[name], DIRECTORY) is (expected == "yes")


@pytest.mark.parametrize(("name", "actor", "expected"), _cells(SIGHT))
def test_everybody_sees_of_a_session_what_the_contract_says_and_no_more(name, actor, expected):
    assert sight(ACTORS[actor], SESSIONS[name], DIRECTORY) == expected


def test_the_table_above_asks_about_every_action_and_every_object():
    asked = [cell.values for cell in _cells(MAY)]
    assert {action for action, *_ in asked} == set(get_args(Action))
    assert {name for _, name, *_ in asked} == set(OBJECTS)


@pytest.mark.parametrize(
    "action", ["book", "change", "answer", "close", "feed", "figures", "read_notices", "read_sessions"]
)
@pytest.mark.parametrize("name", ["-", "mcu"])
def test_an_action_on_something_it_does_not_concern_is_refused(action, name):
    assert not may(ACTORS["perinat"], action, OBJECTS[name], DIRECTORY)


def test_a_network_coordinator_answers_for_no_site_outside_a_session():
    assert not may(ACTORS["perinat"], "answer", SiteRef("lille"), DIRECTORY)


@pytest.mark.parametrize("scope", ["site", "room", "network"])
def test_a_site_room_or_network_that_is_named_like_a_person_is_not_hers(scope):
    assert not may(ACTORS["person"], "feed", FeedScope(scope, "anne"), DIRECTORY)


def test_a_host_that_left_the_configuration_stays_visible_but_is_nobodys_in_the_network():
    gone = Subject.of("gone", (), "perinat")
    assert sight(ACTORS["perinat"], gone, DIRECTORY) == "full"
    assert not may(ACTORS["perinat"], "change", gone, DIRECTORY)
    assert may(ACTORS["admin"], "change", gone, DIRECTORY)


# What a feed of full detail shows of each session: busy times where its owner may not even have it.
FEEDS = """
                         admin  calais  perinat  both  clinician  person
site:calais       WITH   full   full    full     full  full       busy
site:lille        NEAR   full   busy    full     full  busy       busy
site:lille        OTHER  full   busy    busy     full  busy       busy
room:lille-1      OTHER  full   busy    busy     full  busy       busy
network:perinat   WITH   full   full    full     full  busy       busy
network:perinat   NEAR   full   kind    full     full  busy       busy
network:hpsm      OTHER  full   busy    busy     full  busy       busy
person:anne       WITH   full   busy    busy     busy  full       busy
"""


@pytest.mark.parametrize(("feed", "name", "actor", "expected"), _cells(FEEDS))
def test_a_feed_shows_no_more_than_its_owner_sees_today(feed, name, actor, expected):
    scope, _, of = feed.partition(":")
    assert feed_detail(ACTORS[actor], scope, of, SESSIONS[name], "full", DIRECTORY) == expected


@pytest.mark.parametrize(
    ("asked", "own", "near"),
    [("full", "full", "kind"), ("kind", "kind", "kind"), ("busy", "busy", "busy")],
)
def test_a_feed_shows_no_more_than_it_was_asked_to(asked, own, near):
    actor = ACTORS["calais"]
    assert feed_detail(actor, "network", "perinat", WITH, asked, DIRECTORY) == own
    assert feed_detail(actor, "network", "perinat", NEAR, asked, DIRECTORY) == near
