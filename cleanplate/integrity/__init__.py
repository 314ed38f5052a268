"""Are outputs, caches and inputs what they should be, and what did killed runs leave behind?"""
