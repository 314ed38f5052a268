"""A person on a background: crop, cut out, inpaint, blend, fill."""
