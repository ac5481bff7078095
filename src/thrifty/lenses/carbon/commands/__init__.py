"""One file a command of `thrifty carbon`: parse, ask, print."""
