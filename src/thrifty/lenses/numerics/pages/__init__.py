"""One file a page of `thrifty numerics`: a result as blocks of `report`."""
