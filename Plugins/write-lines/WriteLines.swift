// WriteLines
