// StageControl
