// StageLog
