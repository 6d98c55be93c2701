// StageReport
