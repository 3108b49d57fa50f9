"""Périnat scheduler: books videoconferences over several maternity sites, publishes them, reminds people."""

__version__ = "0.4.0"
