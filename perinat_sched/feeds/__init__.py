"""Feeds: sessions as calendars that people subscribe to."""
