"""Who uses the installation: their tokens, and what they may see and do."""
