"""The fork server: a process of its own that imports the standard library, these modules and the packages allowed."""
