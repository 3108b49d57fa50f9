"""What is free, and why something is not. Pure: no I/O, no clock; the hour is passed in."""
