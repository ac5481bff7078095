"""Attention compiled: 32 queries side by side in vector registers, their scores, weights and output in the nearest cache, the same bits as `plain`.

`inner` says how steps are compiled, `micro` multiplies small matrices, `rows` and `lanes` have loops over what vectors hold, `tiles` the steps of one tile,
`lean` the same where all queries see it whole, `outputs` those of the output, `flash` is the loop over tiles;
`running` says which policies it serves, hands them over and shares rows among threads. Only `running` may be imported where Numba is not.
"""
