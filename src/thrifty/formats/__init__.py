"""In which numbers? The formats that data sheets, checkpoints and tables speak of.

`registry` holds names and sizes. Arithmetic (rounding, packing, accumulating) is not known here yet: it joins this package
when a lens needs it, and nothing above has to change.
"""

from thrifty.formats.registry import Format, all_formats, bytes_of, format_of_torch, get_format

__all__ = ["Format", "all_formats", "bytes_of", "format_of_torch", "get_format"]
