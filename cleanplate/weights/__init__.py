"""weights.lock for people: what is there, what a file holds, and a checksum where none is published."""
