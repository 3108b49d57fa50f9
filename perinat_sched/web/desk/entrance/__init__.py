"""How a visitor comes in: what this is, the sign-in by mail, the account."""
