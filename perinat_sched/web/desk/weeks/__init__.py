"""The week as a table or a list, and the sheets printed from it."""
