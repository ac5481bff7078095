"""One file a command of `thrifty steward`: parse, ask, print."""
