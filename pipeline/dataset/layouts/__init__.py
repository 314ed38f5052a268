"""How a data folder is laid out: one file = one name for `data.layout`, with `read(root, data, limit)`."""
