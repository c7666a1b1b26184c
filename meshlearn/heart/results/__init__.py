"""What a fitted heart gives: clinical read-outs, files and pictures."""
