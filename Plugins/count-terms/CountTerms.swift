// CountTerms
