"""Real data: published file -> verified -> reader -> Arrow on disk -> examples. And the bundled sample."""
