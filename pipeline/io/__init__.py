"""Files in and out: atomic writes, tables, photos decoded and encoded, image stores and tar shards."""
