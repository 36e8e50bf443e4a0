from .names import KINDS as KINDS
from .names import NameTable as NameTable
from .preparation import SOURCES as SOURCES
from .preparation import open_knowledge as open_knowledge
from .preparation import prepare_knowledge as prepare_knowledge
from .preparation import prepared_path as prepared_path
