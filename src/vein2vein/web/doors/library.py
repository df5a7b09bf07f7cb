"""x"""
from vein2vein.web.door import Door
DOOR = Door("library", "Library", "Every number")
