"""One module for each form that data comes in; a new module here is a new format."""
