"""Notices: what people are told by mail about a session, and that they are told once."""
