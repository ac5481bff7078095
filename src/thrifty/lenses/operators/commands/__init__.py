"""What stands behind the commands: `options` that they share, and `running`, those that run, simulate or read something. `cli` holds the others."""
