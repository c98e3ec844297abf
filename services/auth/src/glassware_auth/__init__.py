"""Users, service accounts and tokens."""
