"""What is done with text and nothing else: sentences, normal forms, shingles, near duplicates."""
