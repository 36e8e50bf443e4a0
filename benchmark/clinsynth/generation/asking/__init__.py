"""From a task and its labels to prompts, and from answers to rows: what the baselines that ask a model share."""
