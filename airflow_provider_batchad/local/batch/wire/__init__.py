"""The bodies that the REST API takes, as pydantic models: what they may hold, and in which range."""
