"""Jobs under a common cap: linear and integer programs, insertion, and a bound from shadow prices that is computed here."""
