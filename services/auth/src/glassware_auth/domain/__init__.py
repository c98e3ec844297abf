"""What the service does. Nothing here knows of HTTP or Flask; callers commit."""
