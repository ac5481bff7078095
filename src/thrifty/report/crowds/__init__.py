"""Charts of thousands of marks in words: what a table of all of them would be too long for.

`timelines` sums bars by row and kind, and writes rows of blocks; `fields` has the steps and ticks of heat maps, their numbers as a table of both
names, sums by month, and shades; `calendars` makes a heat map of days by hours from a series.
"""
