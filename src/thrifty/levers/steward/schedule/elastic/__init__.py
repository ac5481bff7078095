"""Jobs that may run on more servers in green hours (CarbonScaler), beside fixed policies."""
