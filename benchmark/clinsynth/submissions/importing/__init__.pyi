from .importer import FORMATS as FORMATS
from .importer import format_of as format_of
from .importer import import_data as import_data
from .session import ImportOptions as ImportOptions
from .session import ImportReport as ImportReport
from .session import Tally as Tally
