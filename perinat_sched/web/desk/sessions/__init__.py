"""One session: its page, and what is done to it."""
