"""What a service tells its operators: log lines, request ids, health."""
