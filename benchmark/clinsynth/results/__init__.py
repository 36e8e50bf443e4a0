"""What is stored of runs, and how it is checked again."""
