"""Series: many sessions by one rule, anchored in a wall time, booked and changed all or none."""
