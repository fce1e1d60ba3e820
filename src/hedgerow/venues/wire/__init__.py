"""What venues speak: requests built and signed, answers and frames understood. Pure: time comes in, bytes go out."""
