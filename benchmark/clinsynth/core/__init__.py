"""What every room stands on: nouns, registry, errors, files, stored records, progress."""
