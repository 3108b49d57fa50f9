"""The HTTP edge: what comes in is read and refused here, what goes out is written here, nothing is decided here."""
