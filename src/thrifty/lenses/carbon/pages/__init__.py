"""One file a page of `thrifty carbon`: a result as blocks of `report`."""
