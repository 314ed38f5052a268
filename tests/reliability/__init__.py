"""What users, machines and strangers will do to it, done to it."""
