"""Series: their rule, their dates, and what is done to them."""
