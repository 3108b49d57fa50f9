"""The figures of the network's yearly report, as tables, pictures and CSV."""
