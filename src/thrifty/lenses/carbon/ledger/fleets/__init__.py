"""A fleet's ledger from a description of it: machines, where they stand, what they draw, and whose they are.

`description` is the value, `reading` takes it from TOML or JSON, `making` prices what was made, `sharing` says whose an hour is, `booking` writes the rows;
`answering` is what `thrifty carbon account` says of them.
"""

from thrifty.lenses.carbon.ledger.fleets.booking import Booked, book
from thrifty.lenses.carbon.ledger.fleets.description import Asset, Fleet, Tenant
from thrifty.lenses.carbon.ledger.fleets.reading import read_fleet

__all__ = ["Asset", "Booked", "Fleet", "Tenant", "book", "read_fleet"]
