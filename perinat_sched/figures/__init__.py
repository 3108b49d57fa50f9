"""Figures: what a network did in a year, for its report; how rooms and ports were used, what became of mails."""
