"""The references: names of the rows that every table is read against. Whoever calls another row so changes no table."""

CONSTANT = "constant"
"""Name of the row of the best constant answers: the floor."""
FEW_REAL = "gold-few"
"""Name of the submission of the few real rows that a few-shot generator starts from."""
REAL = "gold-n"
"""Name of the submission of as many real rows: its runs are the learning curve of real data."""
CEILING = "gold-full"
"""Name of the submission of all real rows: the upper end of the gap."""
REFERENCES = (CONSTANT, FEW_REAL, REAL, CEILING)
"""The rows that decide which tasks an overall score needs, and under which conditions runs are compared."""
