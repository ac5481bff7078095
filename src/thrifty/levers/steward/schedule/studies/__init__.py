"""Published set-ups, repeated on grids that ship."""
