"""Results: immutable paths, the files that keep them, and what tells two of them apart."""
