"""What follows from a trace: scores of its heads, and its numbers as tables and arrays.

`scores` says what each head of a site does, from `rows`, which reads the site's weights
once, portion by portion; `detector` compares heads with patterns; `table` and `arrays` hand
the numbers to pandas and xarray; `recorded` is the trace that offers all of them.
"""
