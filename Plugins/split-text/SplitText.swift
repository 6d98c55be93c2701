// SplitText
