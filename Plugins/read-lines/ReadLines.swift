// ReadLines
