from .patterns import Writer as Writer
from .patterns import read_patterns as read_patterns
