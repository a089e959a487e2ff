"""What stands in texts and around them: alphabets, segments, headers, parts joined, names and numbers. Pure."""
