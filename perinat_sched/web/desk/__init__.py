"""Pages for people: what signed-in coordinators and clinicians see, and how they get in."""
