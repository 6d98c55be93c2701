// Tally
