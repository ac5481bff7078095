"""Devices under power caps: what they still do, who waits, and which caps are best."""
