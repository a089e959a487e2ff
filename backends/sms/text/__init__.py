"""What stands in texts and around them: alphabets, segments, headers, parts, names, numbers. Pure."""
