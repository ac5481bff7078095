"""Who counts what: `counters` holds the table, `counting_peers` runs each installed counter of FLOPs so that nothing it does gets out."""
