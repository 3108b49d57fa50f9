"""Feed addresses, how to subscribe to one, and how to stop reminders."""
