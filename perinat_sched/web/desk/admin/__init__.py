"""Administration: health, tokens, mails, audit, the directory, the example programme."""
