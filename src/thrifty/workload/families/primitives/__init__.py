"""What families are drawn with: the tape, the operators that it takes, layers by their path, and the base of families that are one function."""
