"""What a row of a ledger says, and which words it may use."""

from __future__ import annotations

from typing import Final

PHASES: Final = ("manufacture", "transport", "use", "end of life")
"""Phases of a life. Materials and making are one: few sources state them apart."""
SCOPES: Final = (1, 2, 3)
"""Of the GHG Protocol: what is burnt here, electricity and heat that is bought, everything else."""
METHODS: Final = ("", "location", "market")
"""How electricity of scope 2 is counted: by the grid of the place, or by contracts. Empty for scopes 1 and 3."""
LINES: Final = ("used", "idle", "stranded", "overhead")
"""used: by the tenant, or by nobody told apart; idle: free and could be sold; stranded: free, but another resource of the machine has run out;
overhead: serves no tenant by itself (a battery, a network, a building)."""
TRUTHS: Final = ("measured", "modelled", "literature", "given")
NOBODY: Final = ""
"""The tenant of carbon that no tenant has been charged."""

TEXTS: Final = ("asset", "phase", "method", "tenant", "line", "truth", "source")
"""Columns that are kept as numbers into a list of names."""
WORDS: Final = {"phase": PHASES, "method": METHODS, "line": LINES, "truth": TRUTHS}
"""Columns with a closed list of words."""
KEY: Final = ("asset", "phase", "scope", "method", "hour", "tenant", "line")
"""A row with the same words in all of these twice would count its carbon twice."""
COLUMNS: Final = ("asset", "phase", "scope", "method", "hour", "tenant", "line", "carbon_gco2e", "truth", "source")
"""In the order in which files have them."""
DEFAULTS: Final = {"method": "", "hour": "NaT", "tenant": NOBODY, "line": "used", "truth": "modelled", "source": ""}
GROUPS: Final = ("asset", "phase", "scope", "method", "hour", "tenant", "line", "truth", "source", "day", "month")
"""What totals can be told apart by."""
