"""The model as a plan sees it: `layers` sublayer by sublayer, per sample; `shapes` makes them from sizes, `extracting` from any workload's operator table,
`naming` from a name of the catalogue."""
