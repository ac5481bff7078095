"""One file a command of `thrifty numerics`: parse, ask, print."""
