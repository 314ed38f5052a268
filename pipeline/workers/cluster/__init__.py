"""What the engine `ray` is made of: connection, pool of workers, and what runs on a worker."""
