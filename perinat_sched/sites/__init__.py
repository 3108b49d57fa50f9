"""The ground: establishments, their rooms, the bridges they share, and when each is open."""
