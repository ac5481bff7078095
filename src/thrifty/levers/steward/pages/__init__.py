"""One file a page of `thrifty steward`: a result as blocks of `report`."""
