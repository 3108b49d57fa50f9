"""The example programme: a year of sessions of the example network, to be looked at, tried, and taken away again."""
