"""Computations on traces: scores of heads, tables and arrays.

`scores` characterizes each head of a site, based on `rows`, which reads the weights of the site
once, portion by portion. `table` and `arrays` return the results for pandas and xarray.
`recorded` is the trace class that offers all of them.
"""
