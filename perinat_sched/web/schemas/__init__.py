"""What the API reads and writes, as pydantic models: one truth for the server and for `/openapi.json`."""
