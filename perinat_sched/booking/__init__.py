"""Taking what is free: all places of a session at once or none, never twice."""
